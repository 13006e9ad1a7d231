class XmlTool
  def initialize(params)
    @text = params.fetch("text", "<a><b type='integer'>1</b></a>")
  end

  def call
    Hash.from_xml(@text)
  rescue StandardError => e
    { error: e.class.name }
  end
end
