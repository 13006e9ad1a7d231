class ISBNValidator < ActiveModel::Validator
  def validate(record)
    digits = record.isbn.delete("-").chars.map(&:to_i)
    sum = digits.each_with_index.sum { |digit, index| digit * (index.even? ? 1 : 3) }
    record.errors.add(:isbn, :invalid) unless digits.size == 13 && (sum % 10).zero?
  end
end
