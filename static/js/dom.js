// What every module needs: finding elements, posting, telling staff something.
export const $ = (selector, root = document) => root.querySelector(selector);
export const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
export const on = (type, handler, options) => document.addEventListener(type, handler, options);

// Calls handler(element, event) when a click lands inside an element that matches.
export const onClick = (selector, handler) =>
  on("click", (event) => {
    const hit = event.target.closest?.(selector);
    if (hit) handler(hit, event);
  });

export const card = () => $(".list-card");
export const number = (n) => Number(n).toLocaleString("ko-KR");
export const typing = (element) =>
  Boolean(element?.closest?.("input:not([type=checkbox], [type=radio]), textarea, select, [contenteditable]"));
export const plain = (event) => !(event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.button);

// The cookie is read first: after a new log-in in another tab it holds the new token, the page's meta the old one.
export const csrf = () =>
  document.cookie.match(/(?:^|; )csrftoken=([^;]+)/)?.[1] || $("meta[name=csrf-token]")?.content || "";

export const post = (url, body) =>
  fetch(url, { method: "POST", body, headers: { "X-CSRFToken": csrf(), "X-Requested-With": "XMLHttpRequest" } });

// What is being saved at this moment: an act that follows waits for it.
export const saving = new Set();

// The sentence of an answer that refuses, or the one given when there is none.
export const sentence = async (answer, otherwise) =>
  answer?.headers.get("Content-Type")?.startsWith("text/plain") ? answer.text() : otherwise;

// Reads the list again, or on other pages everything but the result strip; input that is not saved stays.
export function refresh(url = location.pathname + location.search) {
  if ($("#list")) return htmx.ajax("GET", url, { target: "#list", swap: "innerHTML" });
  if (!$("form.dirty")) return htmx.ajax("GET", url, { target: "#content", select: "#content", swap: "outerHTML" });
}

let timer;
export function notify(text, { error = false, button, run } = {}) {
  const box = $("#notice");
  clearTimeout(timer);
  box.className = error ? "notice error" : "notice";
  box.setAttribute("role", error ? "alert" : "status");
  box.replaceChildren(Object.assign(document.createElement("span"), { textContent: text }));
  const add = (label, handler) => {
    const made = Object.assign(document.createElement("button"), { type: "button", className: "btn quiet", textContent: label });
    made.addEventListener("click", () => {
      box.hidden = true;
      handler?.();
    });
    box.append(made);
  };
  if (button) add(button, run);
  add("닫기");
  box.hidden = false;
  if (!error) timer = setTimeout(() => (box.hidden = true), 8000);
}
