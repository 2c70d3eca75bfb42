// A cell for a waybill number: what it holds, its fault below it, its mark.
import { $$ } from "./dom.js";

export const inputs = () => $$("input[data-waybill]:not(:disabled)");
export const rowOf = (input) => input.closest("tbody[data-order]");
export const shownIn = (input) => input.dataset.saved ?? input.defaultValue;

// A mild word is about a number that was kept all the same.
export function complain(input, text, isMild = false) {
  let line = input.parentElement.querySelector(".cell-error");
  if (!text) {
    line?.remove();
    input.removeAttribute("aria-invalid");
    return input.removeAttribute("aria-describedby");
  }
  if (!line) {
    line = Object.assign(document.createElement("span"), { id: `waybill-error-${rowOf(input).dataset.id}` });
    input.parentElement.append(line);
  }
  line.textContent = text;
  line.className = isMild ? "cell-error mild" : "cell-error";
  input.setAttribute("aria-invalid", !isMild);
  input.setAttribute("aria-describedby", line.id);
}

export function draft(input, shown) {
  input.parentElement.querySelector(".draft-mark")?.remove();
  if (shown) input.after(Object.assign(document.createElement("span"), { className: "draft-mark", textContent: "임시" }));
}
