// Time that runs out: data-countdown in seconds (되돌리기 29:58), data-deadline as an instant (입금기한).
import { $$ } from "./dom.js";

const ends = new WeakMap();

function left(element) {
  if (element.dataset.deadline) return (Date.parse(element.dataset.deadline) - Date.now()) / 1000;
  if (!ends.has(element)) ends.set(element, Date.now() + Number(element.dataset.countdown) * 1000);
  return (ends.get(element) - Date.now()) / 1000;
}

function words(seconds) {
  if (seconds <= 0) return "기한 지남";
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.floor(hours / 24)}일 남음`;
  return hours ? `${hours}시간 ${minutes % 60}분 남음` : `${minutes}분 남음`;
}

function tick() {
  if (document.hidden) return;
  for (const element of $$("[data-countdown], [data-deadline]")) {
    const seconds = left(element);
    const rest = Math.max(0, Math.round(seconds));
    const text = element.dataset.deadline ? words(seconds) : `${Math.floor(rest / 60)}:${String(rest % 60).padStart(2, "0")}`;
    if (element.textContent !== text) element.textContent = text;
    if (seconds <= 0 && element.dataset.countdown) element.closest("button")?.setAttribute("disabled", "");
  }
}
setInterval(tick, 1000);
tick();
