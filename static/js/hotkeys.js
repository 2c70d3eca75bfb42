// Keys by their place on the keyboard (event.code), so that they work with 한/영 in either mode.
import { $, $$, on, refresh, typing } from "./dom.js";
import { hide, isOpen, show, within } from "./detail.js";
import { open } from "./dialog.js";
import { clear, cursorRow, linkOf, pickAll, pickPage, picks, putCursor, range, rows, selection, size, toggle } from "./select.js";

// Some input methods on Linux give no code: the letter tells the key.
const JAMO = "ㅁㅠㅊㅇㄷㄹㅎㅗㅑㅓㅏㅣㅡㅜㅐㅔㅂㄱㄴㅅㅕㅍㅈㅌㅛㅋ";
const SIGNS = { "/": "Slash", "?": "Slash", "[": "BracketLeft", "]": "BracketRight", " ": "Space" };

function codeOf({ code, key }) {
  if (code) return code;
  const place = JAMO.indexOf(key);
  if (key.length === 1 && place >= 0) return `Key${String.fromCharCode(65 + place)}`;
  if (/^[a-z]$/i.test(key)) return `Key${key.toUpperCase()}`;
  if (/^\d$/.test(key)) return `Digit${key}`;
  return SIGNS[key] || key;
}

const GO = { KeyC: "/claims/", KeyI: "/inquiries/", KeyJ: "/jobs/", KeyP: "/pack/" };
let goUntil = 0;

function go(code) {
  const digit = code.match(/^(?:Digit|Numpad)([0-7])$/)?.[1];
  const links = $$(".sidebar a");
  const link =
    digit === undefined
      ? links.find((one) => one.pathname.endsWith(GO[code] || " "))
      : links.find((one) => (digit === "0" ? one.pathname === "/" : one.querySelector("i").textContent.trim() === digit));
  link?.click();
  return Boolean(link);
}

function step(way, extend) {
  const list = rows();
  if (!list.length) return false;
  const now = cursorRow();
  const next = list[Math.min(Math.max(list.indexOf(now) + way, 0), list.length - 1)];
  if (extend && now && picks()) range(now, next);
  putCursor(next);
  // Whoever reads in the slide-over stays there while the rows go by.
  if (within()) next.scrollIntoView({ block: "nearest" });
  else linkOf(next)?.focus({ focusVisible: true });
  if (isOpen() && next !== now) show(next);
  return true;
}

function press(...selectors) {
  const roots = isOpen() && !size() ? [$("#detail"), document] : [document];
  for (const root of roots)
    for (const selector of selectors) {
      const hit = $(selector, root);
      if (hit && !hit.disabled) {
        hit.click();
        return true;
      }
    }
  return false;
}

// The one main act: where several stand side by side (통합주문조회) a key must not choose among them.
function pressMain() {
  const acts = (root) => {
    const keyed = $$('[data-key="S"]', root);
    return (keyed.length ? keyed : $$("[data-action].primary", root)).filter((one) => !one.disabled && !one.hidden);
  };
  const open = isOpen() && !size() ? acts($("#detail")) : [];
  const found = open.length ? open : acts(document).filter((one) => !one.closest("#detail"));
  return found.length === 1 && (found[0].click(), true);
}

// What names the row opens it: beside the list, or where it leads.
function pressLink(row) {
  const link = row && ($("a[data-open]", row) ?? linkOf(row));
  return Boolean(link) && (link.click(), true);
}

function focusOn(...selectors) {
  for (const selector of selectors) {
    const hit = $(selector);
    if (hit?.checkVisibility()) {
      hit.focus();
      hit.select?.();
      return true;
    }
  }
  return false;
}

const emptyWaybill = () => $$("input[data-waybill]:not(:disabled)").find((one) => !one.value || one.ariaInvalid === "true");

// It is open before its module is there: what is typed meanwhile is found as well, and presses no keys of the list.
function openPalette() {
  const field = $("#palette-q");
  field.value = "";
  open($("#palette"));
  field.focus();
  import("./palette.js").then(({ find }) => find());
  return true;
}

const KEYS = {
  KeyJ: (e) => step(1, e.shiftKey),
  KeyK: (e) => step(-1, e.shiftKey),
  ArrowDown: (e) => step(1, e.shiftKey),
  ArrowUp: (e) => step(-1, e.shiftKey),
  KeyX: () => picks() && cursorRow() && (toggle(cursorRow()), true),
  KeyO: () => pressLink(cursorRow()),
  KeyS: () => pressMain(),
  KeyE: () => press('[data-key="E"]', '[data-tool="download"], [data-tool="export"], [data-tool="excel"]'),
  KeyH: () => press('[data-key="H"]', '[data-action="hold"]'),
  KeyP: () => press('[data-key="P"]'),
  KeyM: () => press('[data-key="M"]') || focusOn("#detail textarea[name=text], #detail textarea"),
  KeyW: () => emptyWaybill() && (emptyWaybill().focus(), true),
  // After a reload the result is gone from the screen: the server knows what this person did last.
  KeyU: () => press("[data-undo]") || (htmx.ajax("POST", "/jobs/undo/", { target: "#dialog", swap: "innerHTML" }), true),
  KeyR: () => $("#list") && (refresh(), true),
  BracketLeft: () => press('.pager a[rel="prev"]'),
  BracketRight: () => press('.pager a[rel="next"]'),
  KeyG: () => (goUntil = Date.now() + 1500),
  Slash: (e) => (e.shiftKey || e.key === "?" ? (open($("#shortcuts")), true) : focusOn("#find", "#q")),
};
KEYS.Space = KEYS.KeyX;
KEYS.Enter = KEYS.NumpadEnter = KEYS.KeyO;

function escape({ target }) {
  const memo = typing(target) && target.closest("#detail") && target.value !== target.defaultValue;
  if (isOpen() && !memo) hide();
  else if (size() && !memo) clear();
  else if (typing(target)) target.blur();
}

// With the focus in the list: the page first, then everything that was found.
function selectEverything() {
  const head = picks();
  if (!head || !(document.activeElement === document.body || document.activeElement.closest(".scroller, main"))) return false;
  if (head.checked && selection().mode === "ids") pickAll();
  else pickPage(true);
  return true;
}

// A dialog that was just closed keeps the focus until the next frame is drawn: what is pressed meanwhile is for the page.
function meant({ target }) {
  if (target.checkVisibility?.() !== false) return target;
  target.blur();
  return document.body;
}

function handle(event) {
  const code = codeOf(event);
  const target = meant(event);
  const command = event.ctrlKey || event.metaKey;
  if (command && !event.altKey && code === "KeyK") return $("#palette") && openPalette();
  if (event.key === "Enter" && typing(target)) {
    // Windows sends Enter twice while Hangul is being composed; the first one must not search.
    if (event.isComposing || event.keyCode === 229) return target.matches("input");
    if (command) return target.form && (target.form.requestSubmit(), true);
    return false;
  }
  if ($("dialog[open]")) return false;
  if (code === "Escape") return event.isComposing ? false : void escape(event);
  if (typing(target) || event.isComposing) return false;
  if (command && code === "KeyA" && !event.shiftKey && !event.altKey) return selectEverything();
  if (command || event.altKey || document.body.dataset.shortcuts === "off") return false;
  if (Date.now() < goUntil) {
    goUntil = 0;
    return go(code);
  }
  const control = target.closest?.("a, button, summary, input");
  if (control && (code === "Space" || code === "Enter" || code === "NumpadEnter") && !(code === "Space" && control.matches("tbody a"))) return false;
  return Object.hasOwn(KEYS, code) && KEYS[code](event);
}

on("keydown", (event) => {
  if (!event.defaultPrevented && handle(event)) event.preventDefault();
});
