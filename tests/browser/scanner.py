"""A scanner on a keyboard in Korean mode, before the packing bench."""

import time

from playwright.sync_api import Page, expect

JAMO = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "ㅁㅠㅊㅇㄷㄹㅎㅗㅑㅓㅏㅣㅡㅜㅐㅔㅂㄱㄴㅅㅕㅍㅈㅌㅛㅋ", strict=True))
SCAN = """async ([code, gap, end]) => {
  const at = document.activeElement ?? document.body;
  const places = { '-': 'Minus' };
  const jamo = LETTERS;
  for (const one of code) {
    const letter = /[A-Z]/.test(one);
    const place = letter ? `Key${one}` : /\\d/.test(one) ? `Digit${one}` : places[one];
    const keys = { code: place, key: letter ? jamo[one] : one, keyCode: letter ? 229 : 0 };
    const init = { ...keys, bubbles: true, cancelable: true };
    at.dispatchEvent(new KeyboardEvent('keydown', init));
    if (gap) await new Promise(done => setTimeout(done, gap));
  }
  at.dispatchEvent(new KeyboardEvent('keydown', { code: end, key: end, bubbles: true, cancelable: true }));
}""".replace("LETTERS", str(JAMO))


def scan(page: Page, code: str, *, gap: int = 0, end: str = "Enter") -> None:
    """A scanner on a keyboard in Korean mode: the right places, the wrong letters."""
    page.evaluate(SCAN, [code, gap, end])


def scan_all(page: Page, *codes: str) -> None:
    """Scans one right behind the other, before anything is answered."""
    page.evaluate(
        f"async all => {{ const one = {SCAN}; for (const code of all) await one([code, 0, 'Enter']); }}", codes
    )


def press_keys(page: Page, code: str) -> None:
    """The keys of a scanner as the browser gets them, with all that they do by default, and the times of a scanner."""
    keys, at = page.context.new_cdp_session(page), time.time()
    for one in [*code, "\r"]:
        at += 0.005
        place = "Enter" if one == "\r" else "Minus" if one == "-" else f"{'Digit' if one.isdigit() else 'Key'}{one}"
        number = 189 if one == "-" else ord(one)
        facts = {
            "code": place,
            "key": "Enter" if one == "\r" else one,
            "windowsVirtualKeyCode": number,
            "timestamp": at,
        }
        keys.send("Input.dispatchKeyEvent", {"type": "keyDown", "text": one, **facts})
        keys.send("Input.dispatchKeyEvent", {"type": "keyUp", **facts})
    keys.detach()


def signal(page: Page, name: str) -> None:
    expect(page.locator(f'#bench[data-signal="{name}"]')).to_have_count(1)
