steps <- list(
  summary = function(sales, ...) print(aggregate(amount ~ town, sales, sum)),
  model = function(sales, ...) print(round(coef(lm(amount ~ town * goods, sales)), 3)),
  mixed = function(sales, ...) {
    fit <- nlme::lme(amount ~ goods, random = ~ 1 | town, data = sales)
    print(round(nlme::fixef(fit), 2))
  },
  tree = function(sales, ...) {
    library(rpart)
    print(nrow(rpart(goods ~ amount + town, sales, control = rpart.control(cp = 0.001))$frame) > 0)
  },
  forest = function(sales, ...) print(round(MASS::fitdistr(sales$amount, "gamma")$estimate, 3)),
  smooth = function(sales, ...) print(round(mgcv::gam(amount ~ s(as.numeric(as.Date(day))), data = sales)$deviance)),
  survival = function(sales, ...) print(round(survival::survfit(survival::Surv(amount) ~ 1, sales)$surv[1:3], 4)),
  matrix = function(sales, ...) print(Matrix::Matrix(diag(3), sparse = TRUE)),
  spline = function(sales, ...) print(round(splines::bs(1:5, df = 4), 3)[, 1]),
  cluster = function(sales, ...) print(cluster::pam(sales$amount, 3)$medoids),
  json = function(sales, ...) cat(jsonlite::toJSON(head(sales, 2), pretty = TRUE), "\n"),
  table = function(sales, ...) {
    library(data.table)
    print(as.data.table(sales)[, .(n = .N, total = sum(amount)), keyby = goods])
  },
  dplyr = function(sales, ...) {
    suppressMessages(library(dplyr))
    print(as.data.frame(sales |> group_by(town, goods) |> summarise(total = sum(amount), .groups = "drop") |> arrange(desc(total)) |> slice(1:3)))
  },
  xml = function(sales, ...) print(xml2::xml_text(xml2::xml_find_all(xml2::read_xml("<a><b>x</b><b>y</b></a>"), "//b"))),
  words = function(sales, ...) print(stringr::str_to_title(stringr::str_extract_all("grüne tees", "\\p{L}+")[[1]], "de")),
  dates = function(sales, words) print(lubridate::with_tz(as.POSIXct(0, origin = "1970-01-01", tz = "UTC"), words[1])),
  encode = function(sales, words) print(iconv("Grüße", "UTF-8", words[1], toRaw = TRUE)[[1]]),
  chart = function(sales, words) {
    file <- tempfile()
    get(words[1])(file)
    plot(tapply(sales$amount, sales$town, sum), type = "h", main = expression(sum(x[i]^2)))
    invisible(dev.off())
    cat(words[1], file.size(file) > 500, "\n")
  },
  ggplot = function(sales, ...) {
    suppressMessages(library(ggplot2))
    file <- tempfile(fileext = ".pdf")
    suppressMessages(ggsave(file, ggplot(sales, aes(amount, fill = town)) + geom_histogram(bins = 9) + facet_wrap(~goods) + theme_minimal()))
    cat(file.size(file) > 500, "\n")
  },
  parallel = function(sales, ...) print(unlist(parallel::mclapply(1:4, function(i) i^2, mc.cores = 2))),
  cluster2 = function(sales, ...) {
    nodes <- parallel::makeCluster(2)
    on.exit(parallel::stopCluster(nodes))
    print(unlist(parallel::parLapply(nodes, 1:4, function(i) i^3)))
  },
  sets = function(sales, words) print(head(get(words[1]), 2)),
  random = function(sales, ...) {
    set.seed(7)
    print(round(c(rnorm(2), rgamma(2, 2)), 4))
  },
  linear = function(sales, ...) print(round(svd(outer(1:3, 1:3) + diag(3))$d, 4)),
  class = function(sales, ...) {
    Account <- setRefClass("Account", fields = list(n = "numeric"), methods = list(add = function(x) { n <<- n + x; invisible(.self) }))
    print(Account$new(n = 1)$add(41)$n)
  }
)
