package throttle_test

import (
	"fmt"

	"github.com/smoothkit/smoothkit/throttle"
)

func ExampleParseConfig() {
	c, err := throttle.ParseConfig([]byte(`<configuration>
  <system.webServer><media><bitrateThrottling enabled="true" /></media></system.webServer>
  <location path="Default Web Site/videos">
    <system.webServer><media><bitrateThrottling>
      <throttleSettings>
        <remove fileExtension=".wmv" />
        <add fileExtension=".wmv" settingType="media" initialBufferTimeSeconds="5" throttleRatePercentage="110" />
      </throttleSettings>
    </bitrateThrottling></media></system.webServer>
  </location>
</configuration>`))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range c.RulesFor("Default Web Site/videos/a.wmv").Settings {
		if s.Match == ".wmv" {
			fmt.Println(s.InitialBufferTime, "of content at once, then", s.RatePercentage, "percent of its rate")
		}
	}
	_, err = throttle.ParseConfig([]byte("<throttleSettings>\n  <add fileExtension=\".wmv\" throttleRatePercentage=\"fast\" />\n</throttleSettings>"))
	fmt.Println(err)
	// Output:
	// 5s of content at once, then 110 percent of its rate
	// throttle: config line 2: add .wmv: throttleRatePercentage "fast": not a whole number
}
