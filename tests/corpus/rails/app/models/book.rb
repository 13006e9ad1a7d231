class Book < ApplicationRecord
  serialize :tags, JSON
  validates :title, presence: true, length: { maximum: 60 }
  validates :price, numericality: { greater_than: 0 }, allow_nil: true
  validates_with ISBNValidator, if: :isbn?
  scope :matching, ->(words) { where("title LIKE ?", "%#{sanitize_sql_like(words)}%").order(:id) }
end
