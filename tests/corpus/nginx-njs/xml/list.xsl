<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:str="http://exslt.org/strings" xmlns:math="http://exslt.org/math" extension-element-prefixes="str math">
<xsl:output method="html"/><xsl:param name="title"/>
<xsl:template match="/"><h1><xsl:value-of select="$title"/></h1><xsl:for-each select="//tea"><xsl:sort select="@price" data-type="number"/><p><xsl:value-of select="str:padding(3, '-')"/><xsl:value-of select="."/></p></xsl:for-each><b><xsl:value-of select="math:max(//@price)"/></b></xsl:template>
</xsl:stylesheet>
