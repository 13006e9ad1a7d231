<h1>Smithy</h1>
