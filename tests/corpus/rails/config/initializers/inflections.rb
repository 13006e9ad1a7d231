ActiveSupport::Inflector.inflections(:en) do |inflect|
  inflect.acronym "ISBN"
end
