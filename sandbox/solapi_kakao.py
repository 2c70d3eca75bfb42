"""알림톡 at the twin of Solapi: approved templates, values for them, and a text message for who has no KakaoTalk."""

import re
from typing import Any

SMS_BYTES = 90
_VARIABLE = re.compile(r"#\{[^{}]+\}")


class KakaoTalk:
    """Kakao's side: templates by number with channel and text, and numbers without KakaoTalk."""

    def __init__(self) -> None:
        self.templates: dict[str, tuple[str, str]] = {}
        self.absent: set[str] = set()

    def delivered(self, message: dict[str, Any]) -> dict[str, Any]:
        """What the buyer reads, and as what; ValueError with the reason for a message that cannot be taken."""
        options = message.get("kakaoOptions")
        if options is None:
            if not isinstance(message.get("text"), str) or not message["text"]:
                raise ValueError("내용이 없습니다.")
            return {"type": kind_of(message["text"])}
        text = self._filled(options)
        if message["to"] not in self.absent:
            return {"type": "ATA", "text": text}
        if options.get("disableSms"):
            return {"type": "ATA", "text": text, "undelivered": True}
        return {"type": kind_of(text), "text": text, "replaced": True}

    def _filled(self, options: dict[str, Any]) -> str:
        channel, template, values = options.get("pfId"), options.get("templateId"), options.get("variables") or {}
        if not channel or not template:
            raise ValueError("pfId와 templateId가 필요합니다.")
        if not all(_VARIABLE.fullmatch(name) and isinstance(value, str) for name, value in values.items()):
            raise ValueError("variables의 형식이 올바르지 않습니다.")
        if not self.templates:
            return "\n".join([f"[{template}]", *(f"{name[2:-1]}: {value}" for name, value in values.items())])
        known, content = self.templates.get(template, ("", ""))
        if known != channel:
            raise ValueError("등록되지 않은 템플릿입니다.")
        if missing := set(_VARIABLE.findall(content)) - values.keys():
            raise ValueError(f"템플릿의 변수가 없습니다: {', '.join(sorted(missing))}")
        return _VARIABLE.sub(lambda found: str(values[found.group()]), content)


def kind_of(text: str) -> str:
    """SMS up to 90 bytes of EUC-KR, LMS beyond."""
    return "SMS" if len(text.encode("cp949", "replace")) <= SMS_BYTES else "LMS"
