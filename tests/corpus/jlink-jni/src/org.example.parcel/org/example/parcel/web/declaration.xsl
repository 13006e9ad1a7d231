<?xml version="1.0" encoding="UTF-8"?>
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform" xmlns:date="http://exslt.org/dates-and-times"
    xmlns:set="http://exslt.org/sets" exclude-result-prefixes="date set">
  <xsl:param name="title"/><xsl:param name="receiver"/><xsl:param name="contents"/><xsl:param name="value"/><xsl:param name="total"/>
  <xsl:output method="html" encoding="UTF-8" indent="yes" doctype-system="about:legacy-compat"/>
  <xsl:decimal-format name="eu" decimal-separator="," grouping-separator="."/>
  <xsl:key name="by-country" match="label" use="country"/>
  <xsl:template match="/labels">
    <html>
      <head><title><xsl:value-of select="$title"/></title></head>
      <body>
        <h1><xsl:value-of select="$title"/></h1>
        <xsl:for-each select="set:distinct(label/country)">
          <xsl:sort select="." order="descending"/>
          <h2><xsl:number value="position()" format="I. "/><xsl:value-of select="."/></h2>
          <table>
            <tr><th><xsl:value-of select="$receiver"/></th><th><xsl:value-of select="$contents"/></th><th><xsl:value-of select="$value"/></th></tr>
            <xsl:apply-templates select="key('by-country', .)"/>
          </table>
        </xsl:for-each>
        <p><xsl:value-of select="concat($total, ': ', format-number(sum(label/value) div 100, '#.##0,00', 'eu'))"/></p>
      </body>
    </html>
  </xsl:template>
  <xsl:template match="label">
    <tr><td><xsl:value-of select="receiver"/></td><td><xsl:value-of select="contents"/></td>
      <td><xsl:value-of select="format-number(value div 100, '#.##0,00', 'eu')"/></td></tr>
  </xsl:template>
</xsl:stylesheet>
