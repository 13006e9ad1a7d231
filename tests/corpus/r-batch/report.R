# One step of the report, by its name.
source("steps.R")
words <- commandArgs(trailingOnly = TRUE)
step <- steps[[words[1]]]
if (is.null(step)) stop("no step ", words[1], call. = FALSE)
sales <- read.csv("sales.csv", stringsAsFactors = TRUE)
step(sales, words[-1])
