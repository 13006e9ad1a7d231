# What all routes share: settings, data, translations, errors.

settings <- list(
  port = as.integer(Sys.getenv("WEATHER_PORT", "8000")),
  db = Sys.getenv("WEATHER_DB", "weather.sqlite"),
  tokens = c(ann = "leaf-1234", bob = "bark-5678")
)

stations <- function() {
  readr::read_csv("data/stations.csv", show_col_types = FALSE, col_types = "cccdddcD")
}

readings <- local({
  kept <- NULL
  function() {
    if (is.null(kept)) kept <<- readRDS("data/readings.rds")
    kept
  }
})

# Makes four years of days for each station: season, trend and noise.
make_readings <- function(file) {
  set.seed(1881, kind = "Mersenne-Twister", normal.kind = "Inversion")
  days <- seq(as.Date("2020-01-01"), as.Date("2023-12-31"), by = "day")
  all <- lapply(split(stations(), stations()$id), function(s) {
    season <- -cos(2 * pi * as.integer(format(days, "%j")) / 365.25) * sign(s$lat) * abs(s$lat) / 5
    data.frame(
      id = s$id, day = days,
      temperature = round(27 - abs(s$lat) / 2.5 - s$height / 160 + season + rnorm(length(days), sd = 2.5), 1),
      rain = round(pmax(0, rgamma(length(days), 0.4, scale = 6) - 1), 1),
      station_ok = runif(length(days)) > 0.02
    )
  })
  saveRDS(do.call(rbind, unname(all)), file, compress = "xz")
}

texts <- local({
  kept <- list()
  function(lang) {
    if (is.null(kept[[lang]])) {
      file <- file.path("locales", paste0(lang, ".yaml"))
      kept[[lang]] <<- yaml::read_yaml(if (file.exists(file)) file else "locales/en.yaml")
    }
    kept[[lang]]
  }
})

# The best language of an Accept-Language header among those that there are.
language <- function(req) {
  if (!is.null(req$argsQuery$lang)) return(req$argsQuery$lang)
  header <- req$HTTP_ACCEPT_LANGUAGE
  if (is.null(header)) return("en")
  wanted <- trimws(strsplit(header, ",")[[1]])
  quality <- vapply(wanted, function(w) {
    q <- stringi::stri_match_first_regex(w, ";q=([0-9.]+)")[, 2]
    if (is.na(q)) 1 else as.numeric(q)
  }, 0)
  for (w in wanted[order(-quality)]) {
    lang <- substr(w, 1, 2)
    if (file.exists(file.path("locales", paste0(lang, ".yaml")))) return(lang)
  }
  "en"
}

stop_with <- function(status, message) {
  stop(structure(class = c("http_error", "error", "condition"), list(message = message, call = NULL, status = status)))
}

with_locale <- function(category, locale, code) {
  old <- Sys.getlocale(category)
  on.exit(Sys.setlocale(category, old))
  if (suppressWarnings(Sys.setlocale(category, locale)) == "") stop_with(422, paste("no locale", locale))
  force(code)
}

database <- function() {
  con <- DBI::dbConnect(RSQLite::SQLite(), settings$db, extended_types = TRUE)
  DBI::dbExecute(con, "create table if not exists note (id integer primary key, station text, text text, mood real check (mood between 0 and 1), made timestamp)")
  con
}

monthly <- function(id) {
  one <- readings()[readings()$id == id, ]
  if (!nrow(one)) stop_with(404, paste("no station", id))
  one |>
    dplyr::filter(station_ok) |>
    dplyr::mutate(month = lubridate::floor_date(day, "month")) |>
    dplyr::group_by(month) |>
    dplyr::summarise(temperature = round(mean(temperature), 2), rain = sum(rain), days = dplyr::n(), .groups = "drop")
}

# A report in Markdown with R inside, made to HTML and put into the page.
make_report <- function(id, lang = "en") {
  station <- stations()[stations()$id == id, ]
  if (!nrow(station)) stop_with(404, paste("no station", id))
  env <- new.env(parent = globalenv())
  env$station <- station
  env$months <- monthly(id)
  env$text <- texts(lang)
  knitr::opts_chunk$set(echo = FALSE, comment = NA)
  knitr::opts_knit$set(progress = FALSE)
  md <- knitr::knit(text = readLines("reports/station.Rmd"), envir = env, quiet = TRUE)
  body <- commonmark::markdown_html(md, extensions = TRUE, smart = TRUE)
  page <- htmltools::htmlTemplate(
    "templates/report.html",
    lang = lang, title = paste0(env$text$report, ": ", station$name),
    body = htmltools::HTML(body), footer = htmltools::tags$footer(texts(lang)$greeting)
  )
  as.character(htmltools::renderDocument(page))
}
