"""인쇄물: documents that typst draws, and the codes on them."""

from core.pdf.codes import code128, qr
from core.pdf.documents import PdfProblem, render_pdf, render_zpl

__all__ = ["PdfProblem", "code128", "qr", "render_pdf", "render_zpl"]
