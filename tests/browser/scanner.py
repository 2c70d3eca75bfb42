"""A scanner on a keyboard in Korean mode, before the packing bench."""

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


def signal(page: Page, name: str) -> None:
    expect(page.locator(f'#bench[data-signal="{name}"]')).to_have_count(1)
