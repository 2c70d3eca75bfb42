// <oms-date>: a text field that reads 2025-11-21, 20251121, 1121, 11-21, 오늘, 어제 and -3, with a calendar button.
import { on } from "./dom.js";

const FAULT = "날짜는 2025-11-21처럼 입력하세요.";
const iso = (date) => date.toISOString().slice(0, 10);
const today = () => new Date(`${new Date().toLocaleDateString("sv-SE", { timeZone: "Asia/Seoul" })}T00:00:00Z`);

function day(year, month, date) {
  const made = new Date(Date.UTC(year, month - 1, date));
  return made.getUTCMonth() === month - 1 && made.getUTCDate() === date ? iso(made) : null;
}

// Without a year: in search conditions the latest such day that is not in the future, in forms the day of this year.
export function read(text, past = false, now = today()) {
  const said = text.normalize("NFKC").replace(/\s/g, "").replace(/[./년월]/g, "-").replace(/일$/, "");
  const away = { 오늘: 0, 어제: -1, 내일: 1 }[text.trim()] ?? (/^[-+]\d{1,3}$/.test(said) ? Number(said) : null);
  if (away !== null) return iso(new Date(now.getTime() + away * 86400000));
  const year = now.getUTCFullYear();
  let parts = said.match(/^(\d{4})(\d\d)(\d\d)$/) || said.match(/^(\d{4})-(\d{1,2})-(\d{1,2})$/);
  if (parts) return day(+parts[1], +parts[2], +parts[3]);
  parts = said.match(/^(\d\d)(\d\d)(\d\d)$/) || said.match(/^(\d\d)-(\d{1,2})-(\d{1,2})$/);
  if (parts) return day(2000 + +parts[1], +parts[2], +parts[3]);
  parts = said.match(/^(\d\d)(\d\d)$/) || said.match(/^(\d{1,2})-(\d{1,2})$/);
  const found = parts && day(year, +parts[1], +parts[2]);
  return past && found > iso(now) ? day(year - 1, +parts[1], +parts[2]) : found;
}

class OmsDate extends HTMLElement {
  connectedCallback() {
    if (this.button) return;
    this.field = this.querySelector("input");
    this.button = Object.assign(document.createElement("button"), { type: "button", ariaLabel: `${this.field.ariaLabel || "날짜"} 달력에서 고르기` });
    this.button.innerHTML = '<svg class="icon" aria-hidden="true" viewBox="0 0 24 24"><path d="M4 6h16v14H4zM4 10h16M8 3.5V7M16 3.5V7"/></svg>';
    this.picker = Object.assign(document.createElement("input"), { type: "date", tabIndex: -1, ariaHidden: "true" });
    this.append(this.button, this.picker);
    this.field.addEventListener("change", () => this.check());
    this.button.addEventListener("click", () => {
      this.picker.value = this.read() || "";
      this.picker.showPicker?.();
    });
    this.picker.addEventListener("change", (event) => {
      event.stopPropagation();
      this.field.value = this.picker.value;
      this.field.dispatchEvent(new Event("change", { bubbles: true }));
    });
  }

  read() {
    return read(this.field.value, Boolean(this.closest(".search")));
  }

  check() {
    const value = this.field.value.trim() && this.read();
    const wrong = value === null;
    if (value) this.field.value = value;
    this.field.setCustomValidity(wrong ? FAULT : "");
    if (wrong) this.field.setAttribute("aria-invalid", "true");
    else this.field.removeAttribute("aria-invalid");
    this.querySelector(".field-error")?.remove();
    if (wrong) this.append(Object.assign(document.createElement("span"), { className: "field-error", role: "alert", textContent: FAULT }));
  }
}
customElements.define("oms-date", OmsDate);

// A typed date replaces the relative period: from now on the form sends both dates and no period.
on("change", ({ target }) => {
  const form = target.closest?.("form");
  if (!target.matches?.("oms-date > input") || !form) return;
  for (const one of form.querySelectorAll("[data-name]")) one.name = one.dataset.name;
  if (target.dataset.name || target.name === "from" || target.name === "to") form.querySelector("input[type=hidden][name=period]")?.remove();
});
