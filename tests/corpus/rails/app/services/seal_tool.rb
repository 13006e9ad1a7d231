class SealTool
  def initialize(params)
    @text = params.fetch("text", "tea")
  end

  def call
    key = ActiveSupport::KeyGenerator.new("word").generate_key("salt", 32)
    crypt = ActiveSupport::MessageEncryptor.new(key)
    verifier = ActiveSupport::MessageVerifier.new("word", digest: "SHA512", serializer: JSON)
    { back: crypt.decrypt_and_verify(crypt.encrypt_and_sign(@text)), signed: verifier.generate(@text) }
  end
end
