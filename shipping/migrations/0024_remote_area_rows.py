"""Zip ranges of 제주 and the islands that a shop starts with, and the two provinces that say so without a zip.

Zips: shipping.md 6.3 [R1]; its "28826" stands here as 58826, by its place among its neighbours. Amounts are not in it:
couriers charge by contract, the settings hold them. A copy of its own: later changes of the code change no shop.
"""

from datetime import date
from typing import Any

from django.db import migrations

SOURCE = "기본값 (공개된 도서산간 우편번호 목록)"
CORRECTED = "기본값 (목록의 28826을 58826으로 고침, 확인 필요)"
JEJU = ((63000, 63644),)
ISLANDS = (
    (22386, 22388), (23004, 23010), (23100, 23116), (23124, 23136), (31708, 31708), (32133, 32133), (33411, 33411),
    (40200, 40240), (46768, 46771), (52570, 52571), (53031, 53033), (53089, 53104), (54000, 54000), (56347, 56349),
    (57068, 57069), (58760, 58762), (58800, 58810), (58816, 58818), (58826, 58826), (58828, 58866), (58953, 58958),
    (59102, 59103), (59106, 59106), (59127, 59127), (59129, 59129), (59137, 59166), (59650, 59650), (59766, 59766),
    (59781, 59790),
)  # fmt: skip
PROVINCES = (("제주", 2), ("경북 울릉", 3), ("경상북도 울릉", 3))
FROM = date(2000, 1, 1)


def add_rows(apps: Any, schema_editor: Any) -> None:
    area = apps.get_model("shipping", "RemoteArea")
    ranges = [(one, 2) for one in JEJU] + [(one, 3) for one in ISLANDS]
    area.objects.bulk_create(
        [
            area(
                level="ZIP", zip_from=f"{first:05d}", zip_to=f"{last:05d}", zone=zone, valid_from=FROM,
                source=CORRECTED if first == 58826 else SOURCE,
            )
            for (first, last), zone in ranges
        ]
        + [area(level="PROVINCE", text=text, zone=zone, valid_from=FROM, source=SOURCE) for text, zone in PROVINCES]
    )  # fmt: skip


class Migration(migrations.Migration):
    dependencies = [("shipping", "0023_handovers_and_remote_areas")]

    operations = [migrations.RunPython(add_rows, migrations.RunPython.noop)]
