// Small behaviours of the shell.
import { $, $$, csrf, notify, on, onClick, post } from "./dom.js";

const root = document.documentElement;
const LONGEST_ADDRESS = 1500;

// A low screen shows the entry of this page; only the menu is scrolled, the page opens at its top.
const menu = $(".sidebar");
const entry = $(".sidebar [aria-current]")?.getBoundingClientRect();
if (entry) menu.scrollTop += Math.max(0, entry.bottom + 8 - Math.min(innerHeight, menu.getBoundingClientRect().bottom));

onClick("[data-pref]", async (button) => {
  const { pref } = button.dataset;
  if (pref === "shortcuts") document.body.dataset.shortcuts = button.value;
  else root.dataset[pref] = button.value;
  for (const one of $$(`[data-pref="${pref}"]`)) one.setAttribute("aria-pressed", one === button);
  const answer = await post("/me/preferences/", new URLSearchParams({ [pref]: button.value })).catch(() => null);
  if (!answer?.ok) notify("화면 설정을 저장하지 못했습니다. 이 화면에만 적용합니다.", { error: true });
});

on("click", (event) => {
  for (const menu of $$("details.menu[open]"))
    if (!menu.contains(event.target) || event.target.closest(".pop [data-action]")) menu.open = false;
});

// A panel with an address is filled before it opens for the first time.
onClick("[data-toggle]", async (button) => {
  const panel = document.getElementById(button.dataset.toggle);
  const { src } = panel.dataset;
  if (src) {
    delete panel.dataset.src;
    await htmx.ajax("GET", src, { target: panel, swap: "innerHTML" });
    if (!panel.childElementCount) panel.dataset.src = src;
    if (!panel.childElementCount || !panel.isConnected) return;
  }
  panel.hidden = !panel.hidden;
  button.setAttribute("aria-expanded", !panel.hidden);
  if (!panel.hidden) $("input, select", panel)?.focus();
});

onClick("[data-copy]", async (button) => {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    notify("복사했습니다.");
  } catch {
    notify("복사하지 못했습니다. 글자를 끌어서 선택한 뒤 복사하세요.", { error: true });
  }
});

onClick("[data-close-strip]", () => $("#strip")?.replaceChildren());
onClick('[data-tool="refresh"]', () => document.dispatchEvent(new Event("oms:changed")));

on("change", ({ target }) => {
  if (target.matches("select[data-go]")) htmx.ajax("GET", target.value, { target: "#list", swap: "innerHTML", push: target.value });
});

// A shared address stays short: conditions that say nothing are not sent.
on("htmx:configRequest", ({ detail }) => {
  if (!detail.elt.matches("[data-drop-empty]")) return;
  for (const [key, value] of Object.entries(detail.parameters)) if (value === "") delete detail.parameters[key];
  // More numbers than an address can hold are posted; the answer leads to a short address.
  if (new URLSearchParams(detail.parameters).toString().length <= LONGEST_ADDRESS) return;
  Object.assign(detail, { verb: "post", useUrlParams: false });
  Object.assign(detail.headers, { "X-CSRFToken": csrf(), "Content-Type": "application/x-www-form-urlencoded" });
});

on("submit", ({ target }) => {
  if (!target.matches(".find") || encodeURIComponent(target.elements.q.value).length <= LONGEST_ADDRESS) return;
  target.method = "post";
  const token = target.elements.csrfmiddlewaretoken ?? target.appendChild(document.createElement("input"));
  Object.assign(token, { type: "hidden", name: "csrfmiddlewaretoken", value: csrf() });
});

// Lines copied from a sheet would be glued together.
on("paste", (event) => {
  if (!event.target.matches?.("[data-multi], #find")) return;
  const text = event.clipboardData.getData("text").trim();
  if (!/[\r\n\t]/.test(text)) return;
  event.preventDefault();
  const { target } = event;
  target.setRangeText(text.split(/[\r\n\t]+/).join(", "), target.selectionStart, target.selectionEnd, "end");
});
