# The answer to what went wrong.
on_error <- function(req, res, err) {
  if (inherits(err, "http_error")) {
    res$status <- err$status
    return(list(error = jsonlite::unbox(conditionMessage(err))))
  }
  res$status <- 500
  message("failed: ", req$PATH_INFO, ": ", conditionMessage(err))
  list(error = jsonlite::unbox("internal"), message = jsonlite::unbox(conditionMessage(err)), class = class(err))
}
