package org.example.parcel;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.color.ColorSpace;
import java.awt.font.TextLayout;
import java.awt.image.BufferedImage;
import java.awt.image.ColorConvertOp;
import java.awt.print.PageFormat;
import java.awt.print.Printable;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.util.Iterator;
import javax.imageio.IIOImage;
import javax.imageio.ImageIO;
import javax.imageio.ImageWriter;
import javax.imageio.stream.ImageOutputStream;
import javax.print.DocFlavor;
import javax.print.SimpleDoc;
import javax.print.StreamPrintService;
import javax.print.StreamPrintServiceFactory;
import org.example.parcel.api.Label;
import org.example.parcel.codes.Codes;

/** Labels as pictures and as pages for a printer. */
public final class Picture {
    private Picture() {}

    /** Draws a label, 400 by 200. */
    private static void draw(Graphics2D pen, Label label) {
        pen.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
        pen.setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
        pen.setColor(Color.BLACK);
        pen.setStroke(new BasicStroke(2, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND, 1, new float[] {6, 3}, 0));
        pen.drawRoundRect(4, 4, 392, 192, 16, 16);
        pen.setFont(new Font("DejaVu Sans", Font.BOLD, 18));
        new TextLayout(label.receiver(), pen.getFont(), pen.getFontRenderContext()).draw(pen, 20, 40);
        pen.setFont(new Font(Font.SERIF, Font.ITALIC, 15));
        pen.drawString(label.place(), 20, 66);
        pen.setFont(new Font(Font.MONOSPACED, Font.PLAIN, 12));
        pen.drawString(label.country() + "  " + label.grams() + " g", 20, 88);
        int x = 20;
        boolean bar = true;
        for (byte width : Codes.code128(label.code())) {
            if (bar) {
                pen.fillRect(x, 100, width * 2, 70);
            }
            x += width * 2;
            bar = !bar;
        }
        pen.drawString(label.code(), 20, 186);
    }

    public static byte[] image(Label label, String form, String space) throws Exception {
        boolean alpha = form.equals("png");
        BufferedImage image = new BufferedImage(400, 200, alpha ? BufferedImage.TYPE_INT_ARGB : BufferedImage.TYPE_INT_RGB);
        Graphics2D pen = image.createGraphics();
        pen.setColor(new Color(255, 250, 220));
        pen.fillRect(0, 0, 400, 200);
        draw(pen, label);
        pen.dispose();
        if (space != null) {
            int number = ColorSpace.class.getField("CS_" + space).getInt(null);
            BufferedImage rgb = new BufferedImage(400, 200, BufferedImage.TYPE_INT_RGB);
            rgb.createGraphics().drawImage(image, 0, 0, null);
            BufferedImage converted = new ColorConvertOp(ColorSpace.getInstance(number), null).filter(rgb, null);
            image = new ColorConvertOp(ColorSpace.getInstance(ColorSpace.CS_sRGB), null)
                .filter(converted, new BufferedImage(400, 200, BufferedImage.TYPE_INT_RGB));
        }
        if (form.equals("wbmp")) {
            BufferedImage bits = new BufferedImage(400, 200, BufferedImage.TYPE_BYTE_BINARY);
            bits.createGraphics().drawImage(image, 0, 0, null);
            image = bits;
        }
        Iterator<ImageWriter> writers = ImageIO.getImageWritersByFormatName(form);
        if (!writers.hasNext()) {
            throw new IllegalArgumentException("pictures of form " + form);
        }
        ImageWriter writer = writers.next();
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (ImageOutputStream stream = ImageIO.createImageOutputStream(out)) {
            writer.setOutput(stream);
            writer.write(null, new IIOImage(image, null, null), writer.getDefaultWriteParam());
        } finally {
            writer.dispose();
        }
        return out.toByteArray();
    }

    /** Says what a picture is, and how bright. */
    public static String read(byte[] content) throws Exception {
        try (var stream = ImageIO.createImageInputStream(new ByteArrayInputStream(content))) {
            var readers = ImageIO.getImageReaders(stream);
            if (!readers.hasNext()) {
                throw new IllegalArgumentException("no picture");
            }
            var reader = readers.next();
            reader.setInput(stream);
            BufferedImage image = reader.read(0);
            long sum = 0;
            for (int y = 0; y < image.getHeight(); y++) {
                for (int x = 0; x < image.getWidth(); x++) {
                    sum += new Color(image.getRGB(x, y)).getGreen();
                }
            }
            var metadata = reader.getImageMetadata(0);
            return reader.getFormatName() + " " + image.getWidth() + "x" + image.getHeight() + " green "
                + sum / ((long) image.getWidth() * image.getHeight()) + " " + metadata.getNativeMetadataFormatName() + "\n";
        }
    }

    /** A page in PostScript, by the printing system of Java. */
    public static byte[] page(Label label) throws Exception {
        DocFlavor flavor = DocFlavor.SERVICE_FORMATTED.PRINTABLE;
        StreamPrintServiceFactory[] factories =
            StreamPrintServiceFactory.lookupStreamPrintServiceFactories(flavor, "application/postscript");
        if (factories.length == 0) {
            throw new IllegalStateException("no printer");
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        StreamPrintService service = factories[0].getPrintService(out);
        Printable printable = (Graphics graphics, PageFormat format, int index) -> {
            if (index > 0) {
                return Printable.NO_SUCH_PAGE;
            }
            Graphics2D pen = (Graphics2D) graphics;
            pen.translate(format.getImageableX(), format.getImageableY());
            draw(pen, label);
            return Printable.PAGE_EXISTS;
        };
        service.createPrintJob().print(new SimpleDoc(printable, flavor, null), null);
        service.dispose();
        return out.toByteArray();
    }
}
