class PackTool
  def initialize(params)
    @text = params.fetch("text", "tea " * 20)
  end

  def call
    packed = ActiveSupport::Gzip.compress(@text)
    { size: packed.bytesize.positive?, back: ActiveSupport::Gzip.decompress(packed), size_in_words: ActiveSupport::NumberHelper.number_to_human_size(123_456_789) }
  end
end
