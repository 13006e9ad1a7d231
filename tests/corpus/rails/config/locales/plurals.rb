few_or_many = lambda do |n|
  next :one if n == 1

  [2, 3, 4].include?(n % 10) && ![12, 13, 14].include?(n % 100) ? :few : :many
end
{ pl: { i18n: { plural: { keys: %i[one few many other], rule: few_or_many } } } }
