return if Book.exists?

at = Time.utc(2024, 2, 3, 4, 5, 6)
Book.create!(title: "The Tea Book", isbn: "9780141182704", price: 12.5, published_on: Date.new(1906, 5, 1), tags: %w[tea art], created_at: at)
Book.create!(title: "Geese & Ganders", price: 1999.99, published_on: Date.new(1999, 12, 31), tags: [], created_at: at + 3.days)
User.create!(name: "ann", password: "secret")
