require 'csv'

module Exporters
  Csv = ->(rows) { CSV.generate { |csv| rows.each { |row| csv << row.values } } }
end
