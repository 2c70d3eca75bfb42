// Native dialogs: opened by a button or by a fragment that lands in #dialog; the focus goes back where it was.
import { $, $$, on, onClick } from "./dom.js";

let opener = null;

export function open(dialog) {
  if (!dialog || dialog.open) return;
  if (!dialog.contains(document.activeElement)) opener = document.activeElement;
  // What is seldom opened waits in a template: it is no part of the page until then.
  const kept = $("template", dialog);
  if (kept) {
    kept.replaceWith(kept.content);
    htmx.process(dialog);
  }
  for (const one of $$("[data-needs]", dialog)) one.hidden = !$(one.dataset.needs);
  dialog.showModal();
  const first = $("[role=alert], [autofocus], .body input:not([type=hidden]), .body select, .body textarea, [type=submit]:not(:disabled)", dialog);
  first?.focus();
}

onClick("[data-open-dialog]", async ({ dataset: { openDialog: id } }) => {
  if (id === "columns") await import("./columns.js");
  open(document.getElementById(id));
});
onClick("[data-close]", (button) => button.closest("dialog").close());
on("mousedown", (event) => {
  if (event.target.matches?.("dialog:not(:has([data-guard]))")) {
    const box = event.target.getBoundingClientRect();
    const inside = event.clientX >= box.left && event.clientX <= box.right && event.clientY >= box.top && event.clientY <= box.bottom;
    if (!inside) event.target.close();
  }
});

on(
  "close",
  ({ target }) => {
    if (target.id === "dialog") target.replaceChildren();
    const back = opener?.isConnected && opener.checkVisibility() ? opener : $(".scroller tbody.cursor a[href]");
    back?.focus({ preventScroll: true });
    opener = null;
  },
  true,
);

// An act answers with a dialog (data-dialog) or with a result (data-result); each goes to its place whatever was asked.
on("htmx:beforeSwap", ({ detail }) => {
  const answer = detail.serverResponse;
  if (!/^(dialog|strip)$/.test(detail.target?.id) || typeof answer !== "string") return;
  const id = answer.includes("data-dialog") ? "dialog" : answer.includes("data-result") ? "strip" : detail.target.id;
  detail.target = document.getElementById(id) || detail.target;
});

on("htmx:afterSwap", ({ detail }) => {
  const { target } = detail;
  if (target.id === "dialog" && target.childElementCount) {
    if (target.open) $("[role=alert], [aria-invalid=true]", target)?.focus();
    else open(target);
  }
  if (target.id === "strip") $("#dialog")?.close();
});

on("htmx:afterRequest", ({ detail }) => {
  if (detail.successful && detail.elt.matches?.("[data-refresh]")) document.dispatchEvent(new Event("oms:changed"));
  if (detail.successful && detail.elt.matches?.("[data-close-on-success]")) detail.elt.closest("dialog")?.close();
});
