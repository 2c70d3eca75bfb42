// A scanner types where its keys lie (event.code): what it means does not depend on 한/영. No imports: tests read it alone.
const PLAIN = {
  Minus: "-", Equal: "=", BracketLeft: "[", BracketRight: "]", Backslash: "\\", Semicolon: ";", Quote: "'", Comma: ",",
  Period: ".", Slash: "/", Backquote: "`", Space: " ", NumpadSubtract: "-", NumpadAdd: "+", NumpadDecimal: ".",
  NumpadDivide: "/", NumpadMultiply: "*",
};
const SHIFTED = {
  Minus: "_", Equal: "+", BracketLeft: "{", BracketRight: "}", Backslash: "|", Semicolon: ":", Quote: '"', Comma: "<",
  Period: ">", Slash: "?", Backquote: "~", Digit1: "!", Digit2: "@", Digit3: "#", Digit4: "$", Digit5: "%", Digit6: "^",
  Digit7: "&", Digit8: "*", Digit9: "(", Digit0: ")",
};

// 두벌식: the key of each jamo; what is typed with several keys is spelled out.
const KEYS = {
  ㄱ: "R", ㄲ: "R", ㄳ: "RT", ㄴ: "S", ㄵ: "SW", ㄶ: "SG", ㄷ: "E", ㄸ: "E", ㄹ: "F", ㄺ: "FR", ㄻ: "FA", ㄼ: "FQ", ㄽ: "FT",
  ㄾ: "FX", ㄿ: "FV", ㅀ: "FG", ㅁ: "A", ㅂ: "Q", ㅃ: "Q", ㅄ: "QT", ㅅ: "T", ㅆ: "T", ㅇ: "D", ㅈ: "W", ㅉ: "W", ㅊ: "C", ㅋ: "Z",
  ㅌ: "X", ㅍ: "V", ㅎ: "G", ㅏ: "K", ㅐ: "O", ㅑ: "I", ㅒ: "O", ㅓ: "J", ㅔ: "P", ㅕ: "U", ㅖ: "P", ㅗ: "H", ㅘ: "HK", ㅙ: "HO",
  ㅚ: "HL", ㅛ: "Y", ㅜ: "N", ㅝ: "NJ", ㅞ: "NP", ㅟ: "NL", ㅠ: "B", ㅡ: "M", ㅢ: "ML", ㅣ: "L",
};
const LEADS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ";
const VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ";
const TAILS = " ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ";
const FIRST = 0xac00;

function jamo(letter) {
  const place = letter.codePointAt(0) - FIRST;
  if (place < 0 || place >= 11172) return letter;
  return LEADS[Math.floor(place / 588)] + VOWELS[Math.floor((place % 588) / 28)] + TAILS[place % 28].trim();
}

// "나ㅕ-ㅁ12" -> "SKU-A12": for pasted text and remote desktops, which bring letters and no keys.
export function fromHangul(text) {
  const letters = [...text.normalize("NFC")].map(jamo).join("");
  return [...letters].map((one) => KEYS[one] ?? one).join("").toUpperCase();
}

// What a key types on an English keyboard, letters as capitals; "" for keys that type nothing.
export function charOf({ code, key, shiftKey }) {
  const letter = code?.match(/^Key([A-Z])$/);
  if (letter) return letter[1];
  if (shiftKey && SHIFTED[code]) return SHIFTED[code];
  const digit = code?.match(/^(?:Digit|Numpad)(\d)$/);
  if (digit) return digit[1];
  if (PLAIN[code]) return PLAIN[code];
  // Some input methods on Linux give no code: the letter tells the key.
  return !code && key?.length === 1 ? fromHangul(key) : "";
}

export const isEan13 = (text) =>
  /^\d{13}$/.test(text) && [...text].reduce((sum, digit, place) => sum + Number(digit) * (place % 2 ? 3 : 1), 0) % 10 === 0;

const LEAST = 4;

// feed(event, at) returns what the key typed as `char`, and the `code` that Enter or Tab has ended, if it was a scan.
export function decoder(gap) {
  let letters = "";
  let last = -Infinity;
  return {
    feed(event, at) {
      const near = at - last < gap;
      if (event.key === "Enter" || event.key === "Tab" || /^(Numpad)?Enter$|^Tab$/.test(event.code)) {
        const code = near && letters.length >= LEAST ? letters : "";
        letters = "";
        last = -Infinity;
        return { code, char: "" };
      }
      const char = event.repeat ? "" : charOf(event);
      if (!char) return { code: "", char: "" };
      letters = near ? letters + char : char;
      last = at;
      return { code: "", char };
    },
  };
}
