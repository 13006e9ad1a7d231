# Models of R's packages, each by the library that has it.

numbers <- function(x) signif(as.numeric(x), 5)
coefficients_of <- function(fit) {
  table <- coef(summary(fit))
  data.frame(term = rownames(table), signif(as.data.frame(table), 5), row.names = NULL, check.names = FALSE)
}

#* Linear model of a formula that is sent
#* @post /lm
#* @parser json
#* @serializer unboxedJSON list(digits = NA)
function(req, formula, station = "zrh") {
  fit <- lm(as.formula(formula), data = monthly(station))
  list(coefficients = coefficients_of(fit), r2 = numbers(summary(fit)$r.squared), anova = numbers(anova(fit)[["Pr(>F)"]][1]), cooks = numbers(max(cooks.distance(fit))))
}

#* @get /glm
#* @serializer unboxedJSON list(digits = NA)
function(family = "binomial") {
  days <- readings()
  days$wet <- as.integer(days$rain > 0)
  days$drops <- as.integer(days$rain)
  fit <- switch(family,
    binomial = glm(wet ~ id + poly(temperature, 2), family = binomial("probit"), data = days),
    poisson = glm(drops ~ id, family = poisson, data = days),
    gamma = glm(rain ~ id, family = Gamma("log"), data = days[days$rain > 0, ]),
    negative = MASS::glm.nb(drops ~ id, data = days),
    stop_with(422, paste("no family", family))
  )
  list(coefficients = coefficients_of(fit), aic = numbers(AIC(fit)))
}

#* @get /splines
#* @serializer unboxedJSON list(digits = NA)
function(df = 6) {
  months <- monthly("zrh")
  months$t <- as.numeric(months$month)
  fit <- lm(temperature ~ splines::ns(t, df = as.integer(df)), months)
  basis <- splines::bs(months$t, knots = quantile(months$t, c(.3, .6)), degree = 3)
  inter <- splines::interpSpline(months$t, months$temperature)
  list(fitted = numbers(fitted(fit)[1:6]), basis = numbers(basis[20, ]), between = numbers(predict(inter, months$t[2] + 10)$y), smooth = numbers(smooth.spline(months$t, months$temperature)$df))
}

#* @get /survival
#* @serializer unboxedJSON list(digits = NA)
function() {
  library(survival)
  fit <- survfit(Surv(time, status) ~ sex, data = lung)
  cox <- coxph(Surv(time, status) ~ age + strata(sex) + ph.ecog, data = lung)
  list(median = numbers(summary(fit)$table[, "median"]), cox = numbers(coef(cox)), test = numbers(survdiff(Surv(time, status) ~ sex, lung)$chisq), weibull = numbers(survreg(Surv(time, status) ~ age, lung)$scale))
}

#* @get /nls
#* @serializer unboxedJSON list(digits = NA)
function() {
  fit <- nls(density ~ SSlogis(log(conc), Asym, xmid, scal), data = subset(DNase, Run == 1))
  port <- nls(temperature ~ a + b * cos(2 * pi * (seq_along(temperature) - c) / 12), data = monthly("mal"), start = list(a = 8, b = -8, c = 1), algorithm = "port")
  list(logistic = coefficients_of(fit), season = numbers(coef(port)))
}

#* @get /forecast/<id>
#* @serializer unboxedJSON list(digits = NA)
function(id) {
  series <- ts(monthly(id)$temperature, start = c(2020, 1), frequency = 12)
  arima <- forecast::auto.arima(series, max.p = 2, max.q = 2)
  ets <- forecast::ets(series, model = "ANA")
  list(
    arima = as.character(arima), next_months = numbers(forecast::forecast(arima, h = 3)$mean), ets = numbers(forecast::forecast(ets, h = 3)$mean),
    stl = numbers(stl(series, "periodic")$time.series[1:3, "seasonal"]), winters = numbers(HoltWinters(series)$alpha)
  )
}

#* Trees, nets, groups, mixed and additive models
#* @get /kinds/<kind>
#* @serializer print
function(kind) {
  set.seed(7)
  days <- subset(readings(), day < as.Date("2020-07-01"))
  days$id <- factor(days$id)
  switch(kind,
    tree = rpart::rpart(temperature ~ rain + id, days),
    net = table(predict(nnet::nnet(id ~ temperature, days, size = 2, trace = FALSE, maxit = 50), type = "class")),
    groups = cluster::pam(scale(as.matrix(aggregate(cbind(temperature, rain) ~ id, days, mean)[-1])), 2)$clustering,
    mixed = signif(nlme::fixef(nlme::lme(temperature ~ as.numeric(day), random = ~ 1 | id, data = transform(days, day = day - min(day)))), 4),
    additive = signif(summary(mgcv::gam(temperature ~ s(as.numeric(day)) + id, data = days))$r.sq, 4),
    loess = signif(predict(loess(temperature ~ as.numeric(day), subset(days, id == "zrh")))[1:5], 5),
    kernel = KernSmooth::dpik(days$temperature),
    svd = signif(svd(scale(xtabs(temperature ~ day + id, days)))$d, 4),
    knn = table(class::knn(days[1:600, 3:4], days[601:700, 3:4], days$id[1:600], k = 3)),
    krige = signif(spatial::surf.ls(2, data.frame(x = stations()$lat, y = stations()$lon, z = stations()$height))$beta, 4),
    sparse = Matrix::crossprod(Matrix::sparseMatrix(1:4, c(1, 2, 2, 3), x = 1:4)),
    stop_with(404, paste("no kind", kind))
  )
}
