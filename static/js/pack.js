// 포장 검수대: scans go to the server one after the other, each with an id of its own that every retry keeps; nothing is
// shown as packed before the server has said so.
import { $, $$, csrf, on, onClick } from "./dom.js";
import { decoder, fromHangul } from "./pack-decode.js";
import { play, speak } from "./pack-sound.js";

const { dataset } = document.body;
const scanner = decoder(Number(dataset.gap));
const PENDING = "pack-pending";
const NEXT_AFTER = 1500;
const PATIENCE = 10_000;
const SETTLED = 150;
// A courier has its number or sort code within seconds; who does not wait finds the box under 송장 없는 포장.
const LABEL_TRIES = 10;
const bench = () => $("#bench");
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
// What was scanned and is not answered yet; the first one is on its way.
const queue = [];
// How often a label was asked for, by the scan that closed its box.
const labelTries = new Map();
let isSending = false;
let isOffline = false;
let toNext;
let toLabel;

function signal(name, speech = "") {
  const volume = Number(dataset.volume);
  play(name, volume);
  if (dataset.speech === "on") speak(speech, volume || 75);
}

// randomUUID is missing where the shop is served without HTTPS in the house.
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const hex = [...bytes].map((one) => one.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function setOffline(value) {
  isOffline = value;
  $("#offline").hidden = !value;
  document.body.toggleAttribute("data-offline", value);
}

function refuse(speech) {
  bench().dataset.signal = "stop";
  signal("stop", speech);
}

const isStopped = () => bench().dataset.screen === "stop";
const store = () => sessionStorage.setItem(PENDING, JSON.stringify(queue));

function send(code, more = {}) {
  if (isOffline || !navigator.onLine) {
    setOffline(true);
    return refuse("인터넷 연결이 끊겼습니다");
  }
  if (isStopped() && code !== "CMD-NEXT") return refuse(bench().dataset.speech);
  clearTimeout(toNext);
  clearTimeout(toLabel);
  queue.push({ id: newId(), code, ...more });
  store();
  work();
}

async function work() {
  if (isSending) return;
  isSending = true;
  while (queue.length) {
    // The shipment on the screen when its turn comes: the scan before may have opened it.
    queue[0].shipment ??= bench().dataset.shipment;
    store();
    await deliver(queue[0]);
    queue.shift();
    // The red screen is there to be read: what was scanned before it came does not clear it away.
    if (isStopped()) queue.length = 0;
    store();
  }
  isSending = false;
}

async function deliver(scan) {
  for (let tries = 0; ; tries += 1) {
    const answer = await ask(dataset.scanUrl, { method: "POST", body: new URLSearchParams(scan) });
    if (!answer) {
      setOffline(true);
      await sleep(1000);
      continue;
    }
    setOffline(false);
    if (answer.status === 401) return logIn();
    if (answer.ok) return showAnswer(scan, await answer.text());
    if ((answer.status === 409 || answer.status >= 500) && tries < 2) {
      await sleep(300);
      continue;
    }
    return failed(answer);
  }
}

// The box is closed and its label on its way: the same scan, with its id, asks for it again while nobody has gone on.
function showAnswer(scan, html) {
  const tries = labelTries.get(scan.id) ?? 0;
  show(html, tries > 0);
  if (!bench().hasAttribute("data-waits") || tries >= LABEL_TRIES || queue.length > 1) return;
  labelTries.set(scan.id, tries + 1);
  toLabel = setTimeout(() => {
    queue.push(scan);
    store();
    work();
  }, NEXT_AFTER);
}

async function ask(url, options = {}) {
  const headers = { "HX-Request": "true", "X-CSRFToken": csrf() };
  return fetch(url, { headers, signal: AbortSignal.timeout(PATIENCE), ...options }).catch(() => null);
}

function logIn() {
  location.assign(`${dataset.login}?next=${encodeURIComponent(location.pathname)}`);
  return new Promise(() => {});
}

// What the shipment is now is read again: a scan that failed may have counted nothing, but others may have.
async function failed(answer) {
  const isText = answer.headers.get("Content-Type")?.startsWith("text/plain");
  let text = isText ? await answer.text() : "저장하지 못했습니다. 다시 찍어 주세요.";
  // What came behind it would take its sentence off the screen before anybody has read it.
  const behind = queue.splice(1).length;
  if (behind) text += ` 뒤이어 찍은 ${behind}번도 받지 않았습니다.`;
  const now = await ask(location.href);
  if (now?.ok) show(await now.text());
  const box = Object.assign(document.createElement("p"), { textContent: text });
  const block = $(".pack-signal");
  block?.replaceChildren(box);
  if (block) block.className = "pack-signal sig-wrong";
  bench().dataset.signal = "wrong";
  $("#say").textContent = text;
  signal("wrong", text);
}

// `isQuiet`: what was told before is not told again, unless the label is there now.
function show(html, isQuiet = false) {
  const next = new DOMParser().parseFromString(html, "text/html").querySelector("#bench");
  if (!next) return logIn();
  // The scan that closed a box may have the next label behind it: then the bench has moved on by itself.
  clearTimeout(toNext);
  const had = document.activeElement;
  const byKeys = had?.matches(":focus-visible") && bench().contains(had);
  bench().replaceWith(document.adoptNode(next));
  const { url, speech, print, screen, shipment } = next.dataset;
  // Who works with keys goes on from where they were, at the red screen one step before its button.
  const goal = screen === "stop" ? "content" : had?.id;
  ((goal && document.getElementById(goal)) || (byKeys && $("#typed")) || null)?.focus();
  $(".is-last", next)?.scrollIntoView({ block: "nearest" });
  history.replaceState(null, "", url);
  $("#say").textContent = $$("[data-answer] p > *, .pack-stop h2", next).map((one) => one.textContent).join(" ");
  if (next.dataset.signal && (!isQuiet || print)) signal(next.dataset.signal, speech);
  const file = $("#label-file");
  if (print) {
    $("a", file).href = print;
    $("span", file).textContent = `${shipment} 송장을 만들었습니다.`;
    file.hidden = false;
    if (dataset.printing === "on") printLabel(print);
  } else if (shipment || screen === "stop") file.hidden = true;
  if (screen === "reason") open("pack-hold");
  if (shipment && next.dataset.signal === "done" && !next.hasAttribute("data-stays") && queue.length < 2)
    toNext = setTimeout(() => send("CMD-NEXT"), NEXT_AFTER);
}

// Only where the person has chosen it: not every browser prints a PDF out of a frame.
// In a frame that nobody sees, drawn all the same, as a document that is not cannot be printed: another tab would take the keys of the scanner away.
function printLabel(url) {
  $("#pack-paper")?.remove();
  const frame = Object.assign(document.createElement("iframe"), { id: "pack-paper", title: "송장", tabIndex: -1 });
  frame.addEventListener("load", () => {
    try {
      frame.contentWindow.print();
      window.focus();
    } catch {
      // A browser without a reader for PDF has saved the file instead.
    }
  });
  frame.src = url;
  document.body.append(frame);
}

function open(id) {
  const dialog = document.getElementById(id);
  if (id === "pack-count") {
    const lines = $$(".pack-line").filter((one) => Number(one.dataset.left) > 0);
    $("select", dialog).replaceChildren(
      ...lines.map((one) => new Option(`${$("b", one).textContent} (남은 수량 ${one.dataset.left}개)`, one.dataset.line)),
    );
  }
  $("form", dialog).reset();
  if (!dialog.open) dialog.showModal();
}

onClick("[data-command]", (button) => {
  button.closest("dialog")?.close();
  send(button.dataset.command, button.dataset.line ? { line: button.dataset.line } : {});
});
onClick("[data-dialog]", (button) => open(button.dataset.dialog));
onClick("[data-close]", (button) => button.closest("dialog").close());
onClick("[data-play]", (button) => signal(button.dataset.play, button.textContent));

on("submit", (event) => {
  const code = event.target.dataset.send;
  if (event.target.method === "post") return;
  event.preventDefault();
  if (!code) return;
  event.target.closest("dialog").close();
  send(code, Object.fromEntries(new FormData(event.target)));
});

on("change", ({ target }) => {
  const name = target.dataset.pref;
  if (!name) return;
  dataset[{ pack_volume: "volume", pack_speech: "speech", pack_print: "printing" }[name]] = target.value;
  ask(dataset.preferences, { method: "POST", body: new URLSearchParams({ [name]: target.value }) });
});

// Whatever has the focus, a scan is a scan, behind an open dialog as well: its Enter must press no button there. A field for
// text in a dialog keeps its keys, unless a scanner alone has filled it: a barcode is no reason and no quantity. Only a
// log-in may be scanned.
let readAt = -Infinity;
addEventListener("keydown", (event) => {
  lastKey = Date.now();
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typed = $("#typed");
  const inField = event.target === typed;
  const isText = !inField && event.target.matches?.("input, textarea");
  if (isText && event.target.closest("#pack-who")) return;
  const { code, char } = scanner.feed(event, event.timeStamp);
  if (isText && (!code || event.target.value.length > code.length)) return;
  const isEnter = event.key === "Enter" || event.code === "Enter" || event.code === "NumpadEnter";
  if (code) {
    event.preventDefault();
    event.target.closest?.("dialog")?.close();
    if (inField) typed.value = "";
    readAt = event.timeStamp;
    send(code);
  } else if (inField && isEnter && typed.value.trim() && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    const text = fromHangul(typed.value);
    typed.value = "";
    send(text);
  } else if (char && char !== " " && !event.target.matches?.("input, select")) event.preventDefault();
}, true);

// The input method lets go of its last syllable when the scan is over already: it is nothing that anybody has typed.
const leftover = ({ target, timeStamp }) => target.id === "typed" && timeStamp - readAt < SETTLED && (target.value = "");
on("input", leftover);
on("compositionend", leftover);

// Letters without keys: pasted, or out of a remote desktop.
on("paste", (event) => {
  if (event.target.closest?.("dialog")) return;
  const text = event.clipboardData?.getData("text")?.trim();
  if (!text) return;
  event.preventDefault();
  send(fromHangul(text));
});

let lastKey = Date.now();
on("pointerdown", () => (lastKey = Date.now()));
async function lock() {
  if (Date.now() - lastKey < Number(dataset.idle) * 60_000 || isSending || isOffline) return;
  lastKey = Date.now();
  await ask(dataset.logout, { method: "POST", body: new URLSearchParams() });
  logIn();
}
setInterval(lock, 5000);
on("visibilitychange", lock);

addEventListener("offline", () => setOffline(true));
addEventListener("online", () => setOffline(false));
if (!navigator.onLine) setOffline(true);

// Scans that were on their way when the page went: the same ids, so that they count once.
queue.push(...JSON.parse(sessionStorage.getItem(PENDING) || "[]"));
work();
