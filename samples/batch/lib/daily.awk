# date,item,count,price -> date, orders, amount
{ orders[$1]++; amount[$1] += $3 * $4 }
END { for (day in orders) printf "%s %3d %10.2f\n", day, orders[day], amount[day] }
