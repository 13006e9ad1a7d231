# Notes of people at the stations, in SQLite; uploads of many kinds.

#* @get /
#* @serializer json list(dataframe = "rows", auto_unbox = TRUE)
function(station = NULL) {
  con <- database()
  on.exit(DBI::dbDisconnect(con))
  if (is.null(station)) return(DBI::dbGetQuery(con, "select id, station, text, mood from note order by id"))
  DBI::dbGetQuery(con, "select id, text, mood, typeof(mood) t from note where station = ? order by id", params = list(station))
}

#* @post /
#* @parser json
#* @parser form
#* @parser yaml
#* @serializer unboxedJSON
function(req, res, station = "", text = "", mood = 0.5) {
  if (!station %in% stations()$id) stop_with(422, paste("no station", station))
  con <- database()
  on.exit(DBI::dbDisconnect(con))
  DBI::dbWithTransaction(con, {
    DBI::dbAppendTable(con, "note", data.frame(station = station, text = text, mood = as.numeric(mood), made = Sys.time()))
    id <- DBI::dbGetQuery(con, "select last_insert_rowid() id")$id
  })
  res$status <- 201
  res$setHeader("Location", paste0("/notes/", id))
  list(id = id, by = req$user, hash = digest::digest(text, algo = "xxhash64", serialize = FALSE))
}

#* @get /count
#* @serializer unboxedJSON
function() {
  con <- database()
  on.exit(DBI::dbDisconnect(con))
  dplyr::tbl(con, "note") |>
    dplyr::group_by(station) |>
    dplyr::summarise(n = dplyr::n(), mood = mean(mood, na.rm = TRUE)) |>
    dplyr::arrange(station) |>
    dplyr::collect()
}

#* Files of a form: tables are read, others are named
#* @post /files
#* @parser multi
#* @parser csv
#* @parser tsv
#* @parser rds
#* @parser json
#* @parser text
#* @parser octet
#* @serializer unboxedJSON
function(req) {
  lapply(req$body, function(part) {
    value <- part$parsed
    list(
      name = part$filename, type = part$content_type, class = class(value)[1],
      columns = if (is.data.frame(value)) lapply(as.list(value), function(c) class(c)[1]),
      sha = digest::digest(part$value, algo = "sha1", serialize = FALSE)
    )
  })
}

#* A workbook is sent as it is
#* @post /book
#* @parser octet
#* @serializer unboxedJSON
function(req) {
  file <- tempfile(fileext = ".xlsx")
  on.exit(unlink(file))
  writeBin(req$bodyRaw, file)
  list(sheets = openxlsx::getSheetNames(file), first = utils::head(openxlsx::read.xlsx(file, detectDates = TRUE), 2))
}

#* HTML is searched for its tables and links
#* @post /page
#* @parser text
#* @serializer unboxedJSON
function(req) {
  page <- xml2::read_html(req$bodyRaw, encoding = "ISO-8859-1")
  list(links = xml2::xml_attr(xml2::xml_find_all(page, "//a[@href]"), "href"), text = trimws(xml2::xml_text(page)))
}

#* Counts in a cookie that only we can read
#* @get /visits
#* @serializer unboxedJSON
function(req) {
  count <- as.integer(if (is.null(req$session$count)) 0 else req$session$count) + 1L
  req$session$count <- count
  list(visits = count)
}

#* Words kept by a password
#* @post /password
#* @parser json
#* @serializer unboxedJSON
function(password) {
  stored <- sodium::password_store(password)
  key <- sodium::scrypt(charToRaw(password), salt = raw(32))
  list(kind = substr(stored, 1, 10), right = sodium::password_verify(stored, password), wrong = sodium::password_verify(stored, "x"), key = sodium::bin2hex(key))
}
