from celery import shared_task


@shared_task
def invoice(number):
    import io

    from reportlab.graphics.barcode import createBarcodeDrawing
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    file = io.BytesIO()
    document = SimpleDocTemplate(file, pagesize=A4, invariant=1)
    document.build([Paragraph(f"Invoice {number}", getSampleStyleSheet()["Heading1"]), createBarcodeDrawing("QR", value="x", width=90, height=90)])
    return file.getvalue()[:8].decode("latin-1"), len(file.getvalue()) > 1000


@shared_task
def code(text):
    import qrcode
    from qrcode.image.svg import SvgPathImage

    return qrcode.make(text, image_factory=SvgPathImage).to_string().decode()[:80]
