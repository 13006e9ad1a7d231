package shop;

import jakarta.servlet.annotation.WebServlet;
import jakarta.servlet.http.*;
import java.io.IOException;
import java.text.MessageFormat;
import java.util.*;

@WebServlet("/hello")
public class Hello extends HttpServlet {
    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response) throws IOException {
        Locale locale = request.getLocale();
        response.setContentType("text/plain; charset=UTF-8");
        TimeZone.setDefault(TimeZone.getTimeZone("UTC"));
        String pattern = ResourceBundle.getBundle("messages", locale, ResourceBundle.Control.getNoFallbackControl(ResourceBundle.Control.FORMAT_DEFAULT)).getString("greeting");
        response.getWriter().println(new MessageFormat(pattern, locale).format(new Object[] {request.getParameter("name"), 1234.5, new Date(0)}));
    }
}
