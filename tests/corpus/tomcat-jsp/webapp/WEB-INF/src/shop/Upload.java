package shop;

import jakarta.servlet.ServletException;
import jakarta.servlet.annotation.*;
import jakarta.servlet.http.*;
import java.io.IOException;
import java.security.*;
import java.util.HexFormat;

@WebServlet("/upload")
@MultipartConfig(fileSizeThreshold = 1)
public class Upload extends HttpServlet {
    @Override
    protected void doPost(HttpServletRequest request, HttpServletResponse response) throws IOException, ServletException {
        Part part = request.getPart("file");
        try {
            byte[] digest = MessageDigest.getInstance("SHA3-256").digest(part.getInputStream().readAllBytes());
            response.getWriter().println(part.getSubmittedFileName() + " " + part.getSize() + " " + HexFormat.of().formatHex(digest));
        } catch (NoSuchAlgorithmException error) {
            throw new ServletException(error);
        }
    }
}
