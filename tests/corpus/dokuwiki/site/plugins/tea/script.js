/* Charts of teas. */
jQuery(function () {
    jQuery(".tea-chart").each(function () {
        jQuery(this).attr("src", DOKU_BASE + "lib/exe/ajax.php?call=plugin_tea_chart&file=" + jQuery(this).data("file"));
    });
});
