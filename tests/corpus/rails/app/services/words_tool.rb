class WordsTool
  def initialize(params)
    @word = params.fetch("word", "goose")
  end

  def call
    { plural: @word.pluralize, singular: @word.singularize, ascii: ActiveSupport::Inflector.transliterate(@word), slug: @word.parameterize }
  end
end
