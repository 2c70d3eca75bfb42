// 스캐너 시험: every key as it arrives, and the code that came out of them.
import { $ } from "./dom.js";
import { decoder, isEan13 } from "./pack-decode.js";

const keys = $("#keys");
const scanner = decoder(Number(document.body.dataset.gap));
let last = 0;
let ended = true;

function say(text, kind) {
  const box = $("#result");
  box.className = `pack-signal ${kind}`;
  $("b", box).textContent = text;
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.key === "Shift") return;
  const at = event.timeStamp;
  const { code, char } = scanner.feed(event, at);
  if (!char && !code && !["Enter", "Tab"].includes(event.key)) return;
  if (ended) keys.replaceChildren();
  ended = !char;
  const row = keys.insertRow();
  const passed = keys.rows.length > 1 ? `${Math.round(at - last)} ms` : "";
  last = at;
  for (const text of [event.code || "없음", event.key, passed, char || event.key]) row.insertCell().textContent = text;
  if (code) {
    event.preventDefault();
    const check = /^\d{13}$/.test(code) ? (isEan13(code) ? " · EAN-13 검사 숫자가 맞습니다" : " · EAN-13 검사 숫자가 맞지 않습니다") : "";
    say(`${code} · ${[...code].length}자${check}`, "sig-ok");
  } else if (ended && keys.rows.length > 1) {
    say("스캔으로 보지 않았습니다. 글자가 4자보다 적거나 간격이 깁니다.", "sig-over");
  } else if (char) event.preventDefault();
}, true);
