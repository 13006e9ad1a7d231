# A model for those who use R.
sales <- read.csv("data/sales.csv")
fit <- lm(pieces ~ price + region, data = sales)
print(summary(fit)$r.squared)
