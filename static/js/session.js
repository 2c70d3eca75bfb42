// Requests of htmx: the CSRF header, an ended session, and answers that are not swapped.
import { $, csrf, notify, on, refresh } from "./dom.js";

let shownAt = new Date();
const clock = () => shownAt.toLocaleTimeString("ko-KR", { hour: "2-digit", minute: "2-digit", hour12: false });
const quiet = (detail) => detail.elt?.closest?.("#poll-sink, .sidebar, [data-poll]");

on("htmx:configRequest", ({ detail }) => {
  if (detail.verb !== "get") detail.headers["X-CSRFToken"] = csrf();
});

export function askLogin() {
  const dialog = $("#session-ended");
  if (dialog && !dialog.open) dialog.showModal();
}

on("htmx:beforeOnLoad", (event) => {
  const { xhr } = event.detail;
  const to = xhr.getResponseHeader("HX-Redirect") || xhr.responseURL;
  if (xhr.status === 401 || (to && new URL(to, location).pathname.endsWith("/login/"))) {
    event.preventDefault();
    askLogin();
  }
});

// An expected refusal that is only a sentence is shown as one, whatever it was to be swapped into.
on("htmx:beforeSwap", ({ detail }) => {
  const { xhr } = detail;
  if (xhr.status < 400 || !xhr.getResponseHeader("Content-Type")?.startsWith("text/plain")) return;
  detail.shouldSwap = detail.isError = false;
  if (!quiet(detail)) notify(xhr.responseText, { error: true });
});

on("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id === "list") shownAt = new Date();
});

on("htmx:responseError", ({ detail }) => {
  if (quiet(detail)) return;
  const said = new DOMParser().parseFromString(detail.xhr.responseText, "text/html").querySelector("[data-error-text]");
  if (said) notify(said.textContent.trim(), { error: true });
  else if (detail.target?.id === "list") failedList();
  else notify("처리하지 못했습니다. 잠시 뒤 다시 시도하고, 계속되면 관리자에게 알려 주세요.", { error: true });
});

on("htmx:sendError", ({ detail }) => {
  if (quiet(detail)) return;
  if (detail.target?.id === "list") failedList();
  else notify("인터넷 연결이 끊겼습니다. 연결되면 다시 시도하세요.", { error: true });
});

function failedList() {
  notify(`목록을 불러오지 못했습니다. 화면의 내용은 ${clock()} 기준입니다.`, { error: true, button: "다시 시도", run: refresh });
}
