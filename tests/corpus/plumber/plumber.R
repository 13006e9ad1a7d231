# The stations themselves, and what all requests pass.

#* @apiTitle Weather of the stations
#* @apiDescription Days, months, models and plots of a few stations.
#* @apiVersion 1.4.0
#* @apiTag stations Who measures
#* @apiTag tables Days and months
NULL

#* Says where the request came from and in which language the answer will be.
#* @filter language
function(req, res) {
  req$lang <- language(req)
  res$setHeader("Content-Language", req$lang)
  plumber::forward()
}

#* Lets in who has a token.
#* @filter token
function(req, res) {
  header <- req$HTTP_AUTHORIZATION
  req$user <- names(settings$tokens)[match(sub("^Bearer ", "", if (is.null(header)) "" else header), settings$tokens)]
  if (grepl("^/notes|^/jobs", req$PATH_INFO) && req$REQUEST_METHOD != "GET" && is.na(req$user)) {
    res$status <- 401
    res$setHeader("WWW-Authenticate", 'Bearer realm="weather"')
    return(list(error = jsonlite::unbox("token?")))
  }
  plumber::forward()
}

#* @get /health
#* @preempt token
#* @serializer unboxedJSON
function() {
  list(status = "ok", R = R.version$major)
}

#* All stations
#* @param country:string Two letters
#* @tag stations
#* @get /stations
#* @serializer json list(dataframe = "rows", digits = 6, pretty = TRUE)
function(country = NULL) {
  all <- stations()
  if (!is.null(country)) all <- all[all$country == toupper(country), ]
  all
}

#* One station
#* @tag stations
#* @get /stations/<id>
#* @serializer unboxedJSON list(auto_unbox = TRUE, digits = 4)
function(req, res, id) {
  one <- stations()[stations()$id == id, ]
  if (!nrow(one)) stop_with(404, paste0(texts(req$lang)$missing, ": ", id))
  days <- readings()[readings()$id == id & readings()$station_ok, ]
  c(as.list(one), list(
    label = texts(req$lang)$mean, mean = mean(days$temperature), quantiles = quantile(days$temperature),
    wettest = days$day[which.max(days$rain)]
  ))
}

#* Names in the order of a language
#* @tag stations
#* @get /sorted/<locale>
#* @serializer unboxedJSON
function(locale) {
  names <- c(stations()$name, "Åre", "Zermatt", "Ähtäri", "Čáslav", "cork", "Cork")
  list(
    sorted = stringi::stri_sort(names, locale = locale),
    upper = stringi::stri_trans_toupper(names, locale = locale),
    latin = stringi::stri_trans_general(c(names, "大阪市", "Москва", "Αθήνα"), "Any-Latin; Latin-ASCII"),
    words = stringi::stri_split_boundaries("天気は晴れです。 It is fine.", type = "word", locale = locale)[[1]],
    date = stringi::stri_datetime_format(as.POSIXct("2024-02-29 13:14:15", tz = "UTC"), "datetime_full", locale = locale, tz = "Asia/Tokyo"),
    buddhist = stringi::stri_datetime_format(as.POSIXct("2024-02-29", tz = "UTC"), "date_long", locale = "th_TH@calendar=buddhist", tz = "UTC")
  )
}

#* Time in a zone, with the words of a locale of the system
#* @get /clock
#* @serializer unboxedJSON
function(zone = "UTC", locale = "en_US.UTF-8", at = "2024-10-27 00:30:00") {
  if (!zone %in% OlsonNames()) stop_with(422, paste("no zone", zone))
  time <- as.POSIXct(at, tz = "UTC")
  local <- lubridate::with_tz(time, zone)
  with_locale("LC_TIME", locale, list(
    text = format(local, "%A, %d. %B %Y %X %Z %z"),
    later = format(local + lubridate::hours(1), "%c"),
    dst = lubridate::dst(local),
    parsed = format(as.Date(format(as.Date("2024-03-01"), "%d %B %Y"), "%d %B %Y")),
    weekdays = weekdays(as.Date("2024-01-01") + 0:6, abbreviate = TRUE)
  ))
}

#* R's own words in another language
#* @get /messages/<lang>
#* @serializer unboxedJSON
function(lang) {
  old <- Sys.getenv("LANGUAGE")
  on.exit(Sys.setLanguage(if (nzchar(old)) old else "en"))
  Sys.setLanguage(lang)
  said <- function(code) tryCatch(code, error = conditionMessage, warning = conditionMessage)
  list(
    subscript = said(list(1)[[3]]), number = said(as.integer("x")), object = said(get("nothing")),
    argument = said(match.arg("z", c("a", "b"))), log = said(log(-1)), stats = said(lm(y ~ x, data.frame(y = NA, x = NA)))
  )
}

#* Days of a station as CSV, Excel, RDS, YAML …
#* @tag tables
#* @get /days/<id>.csv
#* @serializer csv
function(id, n = 5) utils::head(readings()[readings()$id == id, ], as.integer(n))

#* @tag tables
#* @get /days/<id>.tsv
#* @serializer tsv
function(id, n = 5) utils::head(readings()[readings()$id == id, ], as.integer(n))

#* @tag tables
#* @get /days/<id>.yaml
#* @serializer yaml
function(id) lapply(split(monthly(id), format(monthly(id)$month, "%Y")), function(y) list(rain = sum(y$rain), warmest = max(y$temperature)))

#* @tag tables
#* @get /days/<id>.rds
#* @serializer rds
function(id) monthly(id)

#* @tag tables
#* @get /days/<id>.xlsx
#* @serializer contentType list(type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet")
function(id, res) {
  book <- openxlsx::createWorkbook(creator = "weather")
  openxlsx::addWorksheet(book, "months", gridLines = FALSE)
  openxlsx::writeDataTable(book, "months", as.data.frame(monthly(id)), tableStyle = "TableStyleLight9")
  openxlsx::setColWidths(book, "months", 1:4, "auto")
  openxlsx::addStyle(book, "months", openxlsx::createStyle(numFmt = "0.0", fontColour = "#336699"), rows = 2:49, cols = 2)
  file <- tempfile(fileext = ".xlsx")
  on.exit(unlink(file))
  openxlsx::saveWorkbook(book, file)
  plumber::as_attachment(readBin(file, "raw", file.size(file)), paste0(id, ".xlsx"))
}

#* @tag tables
#* @get /days/<id>.xml
#* @serializer contentType list(type = "application/xml")
function(id) {
  doc <- xml2::xml_new_root("months", station = id)
  for (row in split(utils::head(monthly(id), 3), 1:3)) {
    xml2::xml_add_child(doc, "month", as.character(row$temperature), start = format(row$month))
  }
  charToRaw(as.character(doc))
}

#* Months next to each other, as text
#* @tag tables
#* @get /wide
#* @serializer print
function(year = 2022) {
  wide <- readings() |>
    dplyr::filter(format(day, "%Y") == year, station_ok) |>
    dplyr::count(id, month = lubridate::month(day, label = TRUE), wt = rain) |>
    tidyr::pivot_wider(names_from = id, values_from = n, values_fill = 0)
  as.data.frame(wide)
}

#* Report of a station as a page
#* @get /report/<id>
#* @serializer html
function(req, id) make_report(id, req$lang)

#* @assets ./static /assets
list()

#* @get /
#* @serializer html
function() paste(readLines("static/index.html"), collapse = "\n")

#* @plumber
function(pr) {
  # Which routes there are besides, each of its file.
  for (name in c("models", "plots", "notes", "jobs")) {
    pr <- plumber::pr_mount(pr, paste0("/", name), plumber::plumb(file.path("routes", paste0(name, ".R"))) |> plumber::pr_set_error(on_error))
  }
  pr |>
    plumber::pr_cookie(key = digest::digest("weather", algo = "sha256"), name = "weather") |>
    plumber::pr_set_error(on_error) |>
    plumber::pr_set_404(function(req, res) {
      res$status <- 404
      if (grepl("text/html", if (is.null(req$HTTP_ACCEPT)) "" else req$HTTP_ACCEPT, fixed = TRUE)) {
        res$serializer <- plumber::serializer_html()
        page <- htmltools::tags$html(lang = req$lang, htmltools::tags$h1(texts(req$lang)$missing), htmltools::tags$code(req$PATH_INFO))
        return(as.character(page))
      }
      list(error = jsonlite::unbox(texts(if (is.null(req$lang)) "en" else req$lang)$missing))
    }) |>
    plumber::pr_set_api_spec(function(spec) {
      spec$info$contact <- list(name = "Weather", email = "post@weather.test")
      spec$components <- list(securitySchemes = list(token = list(type = "http", scheme = "bearer")))
      spec
    }) |>
    plumber::pr_set_docs("swagger")
}
