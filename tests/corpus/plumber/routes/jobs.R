# Long work in R processes of their own, and answers that come later.

jobs <- new.env()

#* @post /
#* @parser json
#* @serializer unboxedJSON
function(res, station = "zrh", runs = 50) {
  id <- as.character(length(ls(jobs)) + 1)
  jobs[[id]] <- callr::r_bg(function(days, runs) {
    set.seed(42, kind = "L'Ecuyer-CMRG")
    parts <- parallel::mclapply(1:2, function(i) mean(replicate(runs, mean(sample(days, replace = TRUE)))), mc.cores = 2, mc.set.seed = FALSE)
    list(mean = signif(mean(unlist(parts)), 3), packages = requireNamespace("boot", quietly = TRUE))
  }, list(days = readings()$rain[readings()$id == station], runs = runs))
  res$status <- 202
  list(id = id)
}

#* @get /<id>
#* @serializer unboxedJSON
function(id) {
  job <- jobs[[id]]
  if (is.null(job)) stop_with(404, paste("no job", id))
  job$wait(60000)
  list(alive = job$is_alive(), result = tryCatch(job$get_result(), error = conditionMessage))
}

#* @get /later/<n:int>
#* @serializer unboxedJSON
function(n) {
  promises::then(
    promises::promise(function(resolve, reject) later::later(function() if (n > 0) resolve(n * 2L) else reject("too small"), 0.2)),
    onFulfilled = function(value) list(doubled = value),
    onRejected = function(err) stop_with(409, paste("rejected:", conditionMessage(err)))
  )
}
