<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:str="http://exslt.org/strings" extension-element-prefixes="str">
  <xsl:output method="html"/>
  <xsl:template match="/feed"><ul><xsl:for-each select="item"><li><xsl:value-of select="str:padding(3, '*')"/><xsl:value-of select="."/></li></xsl:for-each></ul></xsl:template>
</xsl:stylesheet>
