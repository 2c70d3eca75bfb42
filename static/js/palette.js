// Command palette, fetched when it is opened first: menus, actions of the screen, order numbers; Korean is found by its initial consonants too.
import { $, $$, on } from "./dom.js";

const INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
let found = [];
let at = 0;

const initials = (text) =>
  [...text].map((c) => (c >= "가" && c <= "힣" ? INITIALS[Math.floor((c.charCodeAt(0) - 0xac00) / 588)] : c)).join("");

function commands() {
  const link = (kind) => (element) => ({ kind, label: (element.querySelector(".label") || element).textContent.trim(), run: () => element.click() });
  const press = (kind) => (element) => ({ kind, label: element.textContent.replace(/\s+/g, " ").trim(), run: () => element.click() });
  return [
    ...$$(".sidebar a").map(link("메뉴")),
    ...$$(".acts [data-action], .detail-foot [data-action]").map(press("작업")),
    ...$$(".tools [data-tool]").map((tool) => ({ ...press("도구")(tool), label: tool.getAttribute("aria-label") || tool.textContent.trim() })),
    ...$$(".tabs a").map(press("탭")),
    ...$$("[data-open-dialog=shortcuts]").map(press("도움말")),
  ];
}

function search(text) {
  const wanted = text.replace(/\s/g, "").toLowerCase();
  const hits = commands().filter(({ label }) => {
    const flat = label.replace(/\s/g, "").toLowerCase();
    return flat.includes(wanted) || initials(flat).includes(wanted);
  });
  if (/\d{4,}/.test(wanted) || (wanted && !hits.length))
    hits.unshift({ kind: "통합주문조회", label: `"${text.trim()}" 찾기`, run: () => location.assign(`/orders/?q=${encodeURIComponent(text.trim())}`) });
  return hits.slice(0, 12);
}

function render() {
  const list = $("#palette-list");
  list.replaceChildren(
    ...found.map(({ label, kind }, i) => {
      const item = Object.assign(document.createElement("li"), { id: `palette-${i}`, textContent: label });
      item.setAttribute("role", "option");
      item.setAttribute("aria-selected", i === at);
      item.append(Object.assign(document.createElement("small"), { textContent: kind }));
      item.addEventListener("click", () => choose(i));
      return item;
    }),
  );
  list.hidden = !found.length;
  $("#palette .empty").hidden = found.length > 0;
  $("#palette-q").setAttribute("aria-activedescendant", found.length ? `palette-${at}` : "");
}

function choose(i) {
  const command = found[i];
  $("#palette").close();
  command?.run();
}

export function find() {
  found = search($("#palette-q").value);
  at = 0;
  render();
}

on("input", ({ target }) => {
  if (target.id === "palette-q") find();
});

on("keydown", (event) => {
  if (event.target.id !== "palette-q" || event.isComposing || event.keyCode === 229) return;
  const way = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (way && found.length) {
    at = (at + way + found.length) % found.length;
    render();
    document.getElementById(`palette-${at}`).scrollIntoView({ block: "nearest" });
  } else if (event.key === "Enter") choose(at);
  if (way || event.key === "Enter") event.preventDefault();
});
