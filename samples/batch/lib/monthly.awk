# date,item,count,price -> month, item, count
{ count[substr($1, 1, 7) " " $2] += $3 }
END { for (key in count) printf "%-20s %5d\n", key, count[key] }
