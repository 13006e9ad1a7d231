# Plots by R's own devices and by ggplot2.

draw <- function(id = "zrh") {
  months <- monthly(id)
  par(mar = c(4, 4, 2, 1))
  plot(months$month, months$temperature, type = "b", col = hcl.colors(48, "viridis"), pch = 19, main = stations()$name[stations()$id == id], xlab = "", ylab = "°C")
  abline(lm(temperature ~ as.numeric(month), months), lty = 2)
  legend("topright", legend = expression(alpha + beta * x^2), lty = 2)
}

#* @get /line.png
#* @serializer png list(width = 400, height = 300)
function(id = "zrh") draw(id)

#* @get /line.jpeg
#* @serializer jpeg list(width = 400, height = 300)
function(id = "zrh") draw(id)

#* @get /line.tiff
#* @serializer tiff list(width = 200, height = 150, compression = "lzw")
function(id = "zrh") draw(id)

#* @get /line.bmp
#* @serializer bmp list(width = 200, height = 150)
function(id = "zrh") draw(id)

#* @get /line.pdf
#* @serializer pdf list(width = 5, height = 4, family = "Palatino", encoding = "CP1250", compress = FALSE)
function(id = "zrh") draw(id)

#* @get /line.svg
#* @serializer svg list(width = 5, height = 4)
function(id = "zrh") draw(id)

#* @get /box.svg
#* @serializer contentType list(type = "image/svg+xml")
function() {
  shown <- ggplot2::ggplot(subset(readings(), station_ok), ggplot2::aes(id, temperature, fill = id)) +
    ggplot2::geom_boxplot(outlier.shape = NA) +
    ggplot2::scale_fill_brewer(palette = "Set2") +
    ggplot2::facet_wrap(~ lubridate::quarter(day), labeller = ggplot2::label_both) +
    ggplot2::theme_minimal(base_family = "DejaVu Sans")
  text <- svglite::svgstring(width = 6, height = 4)
  print(shown)
  grDevices::dev.off()
  charToRaw(paste(text(), collapse = ""))
}

#* @get /smooth.png
#* @serializer png list(width = 500, height = 350, res = 96)
function(id = "hob", method = "gam") {
  print(ggplot2::ggplot(readings()[readings()$id == id, ], ggplot2::aes(day, temperature)) +
    ggplot2::geom_hex(bins = 20, show.legend = FALSE, alpha = 0) +
    ggplot2::geom_point(size = .3, alpha = .3) +
    ggplot2::geom_smooth(method = method, formula = if (method == "gam") y ~ s(x, bs = "cs") else y ~ x) +
    ggplot2::scale_x_date(date_labels = "%b %y") +
    ggplot2::labs(title = id, subtitle = expression(T[mean])))
}

#* @get /lattice.png
#* @serializer png list(width = 400, height = 300)
function() print(lattice::bwplot(id ~ temperature | factor(format(day, "%Y")), readings()))

#* A picture of text: letters, Greek, Japanese as boxes or not
#* @get /text.eps
#* @serializer contentType list(type = "application/postscript")
function() {
  file <- tempfile(fileext = ".eps")
  on.exit(unlink(file))
  grDevices::postscript(file, width = 3, height = 2, onefile = FALSE, horizontal = FALSE, paper = "special", family = "Bookman")
  plot.new()
  text(.5, .5, "Käse, œuf", cex = 2)
  text(.5, .2, expression(integral(f(x) * dx, a, b)))
  grDevices::dev.off()
  readBin(file, "raw", file.size(file))
}
