# What is done at times from the command line.
for (file in list.files("R", full.names = TRUE)) source(file, encoding = "UTF-8")
args <- commandArgs(trailingOnly = TRUE)
suppressPackageStartupMessages(switch(args[1],
  seed = make_readings(args[2]),
  report = cat(make_report(args[2], if (is.na(args[3])) "en" else args[3]), "\n"),
  table = {
    months <- as.data.frame(monthly(args[2]))
    print(xtabs(rain ~ format(month, "%Y") + quarters(month), months))
    print(summary(months))
  },
  import = {
    # Lines of id;day;temperature by stdin, with commas for points.
    new <- readr::read_csv2(file("stdin"), show_col_types = FALSE, locale = readr::locale("de", decimal_mark = ",", date_format = "%d. %B %Y"),
      col_types = readr::cols(id = "c", day = readr::col_date("%d. %B %Y"), temperature = "d"))
    print(as.data.frame(dplyr::left_join(new, stations()[c("id", "name")], by = "id")))
  },
  model = {
    requireNamespace(args[2], quietly = TRUE) || stop("no package ", args[2])
    fit <- switch(args[2],
      rpart = rpart::rpart(temperature ~ rain + id, readings()),
      lattice = lattice::xyplot(temperature ~ rain | id, readings()),
      boot = {
        set.seed(1)
        boot::boot.ci(boot::boot(readings()$rain, function(x, i) mean(x[i]), 200), type = "perc")
      }
    )
    if (inherits(fit, "trellis")) print(class(fit)) else print(fit)
  },
  check = {
    info <- sapply(c("jpeg", "png", "tiff", "cairo", "ICU", "iconv", "libcurl"), capabilities)
    print(info)
    cat(iconv("\u00fcber", "UTF-8", "ISO-8859-15", toRaw = TRUE)[[1]] |> as.character(), "\n")
    cat(format(extSoftVersion()[c("zlib", "PCRE")] != ""), "\n")
  },
  stop("what is ", args[1], "?")
))
