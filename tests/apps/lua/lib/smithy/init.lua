return { name = "smithy" }
