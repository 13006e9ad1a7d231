# Starts the service.
suppressPackageStartupMessages({
  library(plumber)
})
for (file in list.files("R", full.names = TRUE)) source(file, encoding = "UTF-8")
DBI::dbDisconnect(database())
options_plumber(trailingSlash = TRUE, apiURL = "/")
pr <- plumb("plumber.R")
pr_hook(pr, "exit", function() message("good bye"))
message("weather on port ", settings$port)
pr_run(pr, host = "0.0.0.0", port = settings$port, quiet = TRUE)
