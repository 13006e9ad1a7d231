<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:template match="/"><titles><xsl:for-each select="//title"><xsl:sort/><t n="{position()}"><xsl:value-of select="format-number(string-length(.), '#,##0.0')"/></t></xsl:for-each></titles></xsl:template>
</xsl:stylesheet>
