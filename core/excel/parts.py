"""The fixed parts of a workbook package (ECMA-376): styles, relations, properties."""

import re
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape, quoteattr

from core.excel.cleaning import clean_text
from core.excel.columns import Kind

HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_TYPES = "application/vnd.openxmlformats-officedocument"

HEADER_STYLE, MARK_HEADER_STYLE = 6, 8
STYLES: dict[Kind, int] = {
    Kind.ANY: 0,
    Kind.TEXT: 1,
    Kind.INTEGER: 2,
    Kind.WON: 3,
    Kind.DATE: 4,
    Kind.DATETIME: 5,
    Kind.MARK: 7,
}

PACKAGE_RELATIONS = (
    f'{HEAD}<Relationships xmlns="{_RELATIONS}">'
    f'<Relationship Id="rId1" Type="{_OFFICE}/relationships/officeDocument" Target="xl/workbook.xml"/>'
    f'<Relationship Id="rId2" Type="{_OFFICE}/relationships/custom-properties" Target="docProps/custom.xml"/>'
    "</Relationships>"
)


def _xf(number_format: int, *, font: int = 0, fill: int = 0, wrap: bool = False) -> str:
    alignment = '<alignment vertical="top" wrapText="1"/>' if wrap else ""
    applied = ' applyAlignment="1"' if wrap else ""
    return (
        f'<xf numFmtId="{number_format}" fontId="{font}" fillId="{fill}" borderId="0" xfId="0" applyNumberFormat="1"'
        f' applyFont="1" applyFill="1"{applied}>{alignment}</xf>'
    )


# 49 is the built-in "@", 1 is "0", 3 is "#,##0"; 164 and 165 are ours. Order = the numbers in STYLES.
STYLE_SHEET = (
    f'{HEAD}<styleSheet xmlns="{_MAIN}">'
    '<numFmts count="2"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>'
    '<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/></numFmts>'
    '<fonts count="2"><font><sz val="10"/><name val="맑은 고딕"/></font>'
    '<font><b/><sz val="10"/><name val="맑은 고딕"/></font></fonts>'
    '<fills count="5"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill>'
    '<fill><patternFill patternType="solid"><fgColor rgb="FFE8EDF3"/></patternFill></fill>'
    '<fill><patternFill patternType="solid"><fgColor rgb="FFFDE2E1"/></patternFill></fill>'
    '<fill><patternFill patternType="solid"><fgColor rgb="FFF5B7B1"/></patternFill></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="9">'
    + _xf(0)
    + _xf(49)
    + _xf(1)
    + _xf(3)
    + _xf(164)
    + _xf(165)
    + _xf(49, font=1, fill=2)
    + _xf(49, fill=3, wrap=True)
    + _xf(49, font=1, fill=4)
    + '</cellXfs><cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def attribute(text: str) -> str:
    """Quoted XML attribute value of cleaned text; line ends would be folded by parsers, so they become spaces."""
    return quoteattr(clean_text(text).replace("\n", " ").replace("\t", " "))


def custom_properties(properties: Mapping[str, str]) -> str:
    """docProps/custom.xml: text properties that Excel keeps through an edit and a save (our invisible batch id)."""
    rows = "".join(
        f'<property fmtid="{{D5CDD505-2E9C-101B-9397-08002B2CF9AE}}" pid="{pid}" name={attribute(name)}>'
        f"<vt:lpwstr>{escape(clean_text(value))}</vt:lpwstr></property>"
        for pid, (name, value) in enumerate(properties.items(), start=2)
    )
    spaces = f'xmlns="{_OFFICE}/custom-properties" xmlns:vt="{_OFFICE}/docPropsVTypes"'
    return f"{HEAD}<Properties {spaces}>{rows}</Properties>"


def sheet_names(name: str, count: int) -> list[str]:
    """시트 이름: legal names (31 characters, none of []:*?/\\, no quote at the ends) for `count` sheets."""
    legal = re.sub(r"[\[\]:*?/\\]", " ", clean_text(name)).replace("\n", " ").strip(" '")[:31].rstrip(" '") or "Sheet"
    if count == 1:
        return [legal]
    names = []
    for number in range(1, count + 1):
        suffix = f" ({number})"
        names.append(legal[: 31 - len(suffix)] + suffix if number > 1 else legal)
    return names


def workbook(names: Sequence[str], ranges: Sequence[str]) -> str:
    """xl/workbook.xml; every sheet's filter range also needs its hidden defined name, or Excel offers a repair.

    No ranges, for sheets without a filter, or one for each sheet.
    """
    sheets = "".join(
        f'<sheet name={attribute(name)} sheetId="{i}" r:id="rId{i}"/>' for i, name in enumerate(names, start=1)
    )
    filters = "".join(
        f'<definedName name="_xlnm._FilterDatabase" localSheetId="{i}" hidden="1">'
        f"'{escape(_quoted(name))}'!{absolute}</definedName>"
        for i, (name, absolute) in enumerate(zip(names, ranges, strict=bool(ranges)))
    )
    defined = f"<definedNames>{filters}</definedNames>" if filters else ""
    return (
        f'{HEAD}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}/relationships"><sheets>{sheets}</sheets>'
        f"{defined}</workbook>"
    )


def _quoted(name: str) -> str:
    return name.replace("'", "''")


def workbook_relations(count: int) -> str:
    """xl/_rels/workbook.xml.rels: one relation per sheet and one for the styles."""
    sheets = "".join(
        f'<Relationship Id="rId{i}" Type="{_OFFICE}/relationships/worksheet" Target="worksheets/sheet{i}.xml"/>'
        for i in range(1, count + 1)
    )
    return (
        f'{HEAD}<Relationships xmlns="{_RELATIONS}">{sheets}'
        f'<Relationship Id="rId{count + 1}" Type="{_OFFICE}/relationships/styles" Target="styles.xml"/></Relationships>'
    )


def content_types(count: int) -> str:
    """[Content_Types].xml: written last, because only then the number of sheets is known."""
    sheets = "".join(
        f'<Override PartName="/xl/worksheets/sheet{i}.xml" ContentType="{_TYPES}.spreadsheetml.worksheet+xml"/>'
        for i in range(1, count + 1)
    )
    return (
        f'{HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Default Extension="xml" ContentType="application/xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.spreadsheetml.sheet.main+xml"/>{sheets}'
        f'<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.spreadsheetml.styles+xml"/>'
        f'<Override PartName="/docProps/custom.xml" ContentType="{_TYPES}.custom-properties+xml"/></Types>'
    )


_FROZEN = (
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    '<selection pane="bottomLeft" activeCell="A2" sqref="A2"/>'
)


def sheet_head(widths: Sequence[int], styles: Sequence[int], *, selected: bool, is_frozen: bool = True) -> str:
    """Start of a worksheet: column widths (1 to 255), the style of cells yet to come, the first row frozen or not."""
    columns = "".join(
        f'<col min="{i}" max="{i}" width="{min(max(width, 1), 255)}" style="{style}" customWidth="1"/>'
        for i, (width, style) in enumerate(zip(widths, styles, strict=True), start=1)
    )
    selection = ' tabSelected="1"' if selected else ""
    pane = _FROZEN if is_frozen else ""
    return (
        f'{HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView{selection}'
        f' workbookViewId="0">{pane}</sheetView></sheetViews>'
        f'<sheetFormatPr defaultRowHeight="15"/><cols>{columns}</cols><sheetData>'
    )


def column_letters(index: int) -> str:
    """0 → A, 25 → Z, 26 → AA."""
    letters = ""
    index += 1
    while index:
        index, rest = divmod(index - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
